"""FBP-UNet: FBP, then a UNet that removes its streaks (Jin, McCann, Froustey and Unser 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from resample_ct.networks.slice_unet import SliceUNet
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


@dataclass(frozen=True)
class FBPUNet:
    """The ramp-filtered back-projection through a trained network."""

    network: SliceUNet

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`."""
        return measurement.solution(self.network(FBP()(measurement, generators).x))

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
