"""FBP-UNet: FBP, then a UNet that removes its streaks (Jin, McCann, Froustey and Unser 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from resample_ct.bundles.bundle import read_card, read_networks, weights_hash
from resample_ct.bundles.fbp_unet import FBPUNetCard
from resample_ct.networks.slice_unet import SliceUNet
from resample_ct.physics.projector import Projector
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.classical import FBP, TV
from resample_ct.reconstruct.consistency import optimise_pixels

_PICCS_WEIGHT = 0.3
LAST_ITERATIONS = 100
# Of the noise that the network was trained for; beyond that it mistakes noise for streaks, or misses it.
_NOISE_FACTOR = 2.0


@dataclass(frozen=True)
class FBPUNet(SliceUNet):
    """The ramp-filtered back-projection through a trained network.

    Attributes:
        n_angles: views over 180 degrees that it was trained for.
        sigma: noise that it was trained for, in pixels of relative attenuation.
    """

    n_angles: int
    sigma: float

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> torch.Tensor:
        """See `Reconstructor`."""
        return self.believed(FBP()(measurement, generators))

    def fits(self, measurement: Measurement) -> bool:
        """Whether it was trained for such views, and for noise within a factor of two."""
        operator = measurement.operator
        if not isinstance(operator, Projector) or operator.geometry.n_angles != self.n_angles:
            return False
        sigma = measurement.noise_variance.sqrt()
        return bool(
            (sigma <= self.sigma * _NOISE_FACTOR).all() and (sigma * _NOISE_FACTOR >= self.sigma).all()
        )


def read_fbp_unet(folder: Path | None = None, device: str = "cpu") -> FBPUNet:
    """Read a bundle, the shipped one without a folder. Raises PriorError where it cannot be used."""
    folder = folder or FBPUNetCard.shipped()
    card = read_card(folder, FBPUNetCard)
    network = read_networks(folder, card, device)["unet"]
    return FBPUNet(network, card.window, card.name, weights_hash(card), card.n_angles, card.sigma)


def consistent(measurement: Measurement, believed: torch.Tensor, iterations: int) -> torch.Tensor:
    """(B, 1, H, W) PICCS around what a network believes: the measurement's say after the network's."""
    return optimise_pixels(measurement, believed, "piccs", iterations, _PICCS_WEIGHT, kappa=1.0)


@dataclass(frozen=True)
class ConsistentFBPUNet:
    """FBP-UNet made consistent with the measurement by PICCS: where ReSample may start from.

    TV takes its place where the network was not trained for the measurement.
    """

    fbp_unet: FBPUNet

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> torch.Tensor:
        """See `Reconstructor`."""
        if not self.fbp_unet.fits(measurement):
            return TV()(measurement, generators)
        return consistent(measurement, self.fbp_unet(measurement, generators), LAST_ITERATIONS)
