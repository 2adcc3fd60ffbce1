"""FBP-UNet: FBP, then a UNet that removes its streaks (Jin, McCann, Froustey and Unser 2017)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from resample_ct.networks.slice_unet import SliceUNet
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.projector import Projector
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.classical import FBP, TV
from resample_ct.reconstruct.consistency import optimise_pixels
from resample_ct.reconstruct.rules import Piccs
from resample_ct.solvers.solution import Solution

_PICCS_ALPHA = 0.3
LAST_ITERATIONS = 100
# Of the noise that the network was trained for; beyond that it mistakes noise for streaks, or misses it.
_NOISE_FACTOR = 2.0
# A scan may end a view before half a turn does.
_MISSING_ARC = math.radians(10.0)


@dataclass(frozen=True)
class FBPUNet:
    """The ramp-filtered back-projection through a trained network.

    The network knows the streaks of parallel views over half a turn. Those of a fan, of a limited arc or
    of a detector that cuts the object off are strange to it, so that it sees in their place the FBP of
    the parallel views that TV's image would have (measured in docs/geometry.md).
    """

    network: SliceUNet

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`."""
        seen = self._as_parallel(measurement) if _has_strange_streaks(measurement) else measurement
        return measurement.solution(self.network(FBP()(seen, generators).x))

    def _as_parallel(self, measurement: Measurement) -> Measurement:
        """What the scan that the network was trained for would measure of TV's image."""
        image = TV()(measurement, []).x
        rays = ParallelBeam.uniform(image.shape[-1], self.network.n_angles)
        operator = make_projector(rays, str(image.device))
        return Measurement(operator, operator(image), measurement.noise_variance)

    def fits(self, measurement: Measurement) -> bool:
        """Whether the network was trained for such views, and for noise within a factor of two."""
        operator, trained = measurement.operator, self.network
        if not isinstance(operator, Projector) or operator.geometry.n_angles != trained.n_angles:
            return False
        sigma = measurement.noise_variance.sqrt()
        return bool(
            (sigma <= trained.sigma * _NOISE_FACTOR).all()
            and (sigma * _NOISE_FACTOR >= trained.sigma).all()
        )


def _has_strange_streaks(measurement: Measurement) -> bool:
    if not isinstance(measurement.operator, Projector):
        return False  # FBP refuses it
    rays = measurement.operator.geometry
    whole = rays.missing_arc < _MISSING_ARC and rays.seen_radius >= rays.image_size / 2
    return not (isinstance(rays, ParallelBeam) and whole)


def consistent(measurement: Measurement, image: torch.Tensor, iterations: int) -> Solution:
    """PICCS around a network's image (B, 1, H, W): data consistency after the network."""
    return optimise_pixels(measurement, image, Piccs(_PICCS_ALPHA, iterations))


@dataclass(frozen=True)
class ConsistentFBPUNet:
    """FBP-UNet made consistent with the measurement by PICCS: where ReSample may start from.

    TV takes its place where the network was not trained for the measurement.
    """

    network: SliceUNet

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`."""
        method = FBPUNet(self.network)
        if not method.fits(measurement):
            return TV()(measurement, generators)
        return consistent(measurement, method(measurement, generators).x, LAST_ITERATIONS)
