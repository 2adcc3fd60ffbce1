"""A cascade of networks with data consistency between them, after Schlemper et al. 2018.

"A Deep Cascade of Convolutional Neural Networks for Dynamic MR Image Reconstruction" (IEEE TMI 37(2)): a
network, then the measurement, then a network again, and so on. Here FBP-UNet with ridge data consistency
makes the first image; a second UNet, trained on that and on its own results, refines it round by round,
each time followed by PICCS around its prediction. The refiner sees an image, not the views: for other
views and noise than it was trained for the cascade is still better than TV (docs/training.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from resample_ct.errors import PriorError
from resample_ct.networks.slice_unet import Refiner, SliceUNet
from resample_ct.progress import part, track
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.consistency import optimise_pixels
from resample_ct.reconstruct.fbp_unet import LAST_ITERATIONS, FBPUNet, consistent
from resample_ct.reconstruct.rules import Ridge
from resample_ct.solvers.solution import Solution

Network = Callable[[torch.Tensor], torch.Tensor]

_FIRST_STEP = Ridge(0.05, 10)
ROUND_ITERATIONS = 50


def first_image(fbp_unet: SliceUNet, measurement: Measurement) -> torch.Tensor:
    """(B, 1, 256, 256) FBP-UNet's estimate, made consistent: what the refiner sees first."""
    return optimise_pixels(measurement, FBPUNet(fbp_unet)(measurement, []).x, _FIRST_STEP).x


def refined(network: Network, measurement: Measurement, image: torch.Tensor, iterations: int) -> Solution:
    """One round: the refiner's prediction from an image (B, 1, 256, 256), made consistent."""
    with torch.no_grad():
        return consistent(measurement, network(image), iterations)


def over_flips(network: Network) -> Network:
    """The mean of what a network makes of an image's four mirror images, turned back."""

    def mean(image: torch.Tensor) -> torch.Tensor:
        flips: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-1, -2))
        return torch.stack([network(image.flip(axes)).flip(axes) for axes in flips]).mean(dim=0)

    return mean


@dataclass(frozen=True)
class Cascade:
    """FBP-UNet and the measurement, then rounds of the refiner and the measurement.

    Attributes:
        fbp_unet: the first network.
        refiner: the second, trained behind it.
        rounds: of the refiner, one or more.
        flips: the refiner sees every image in its four mirror images, in which the views are the same.
    """

    fbp_unet: SliceUNet
    refiner: Refiner
    rounds: int = 4
    flips: bool = False

    def __post_init__(self) -> None:
        if self.refiner.behind != self.fbp_unet.sha256:
            raise PriorError(
                f"refiner: bundle {self.refiner.name} was trained behind the FBP-UNet with hash "
                f"{self.refiner.behind}, found {self.fbp_unet.name} with {self.fbp_unet.sha256}; give "
                "the one it belongs to as fbp_unet, or train another: `resample-ct fine-tune refiner`"
            )

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`."""
        network = over_flips(self.refiner) if self.flips else self.refiner
        image = first_image(self.fbp_unet, measurement)
        with part(0.0, (self.rounds - 1) / self.rounds):
            for _ in track(range(self.rounds - 1)):
                image = refined(network, measurement, image, ROUND_ITERATIONS).x
        return refined(network, measurement, image, LAST_ITERATIONS)
