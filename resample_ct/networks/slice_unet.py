"""UNets from an image to the slice, ready to run."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import torch
from torch import nn

from resample_ct.networks.precision import Precision, network_precision
from resample_ct.values.units import Window


@dataclass(frozen=True)
class SliceUNet:
    """A network that gives slices, ready to run.

    Attributes:
        network: in single precision, for inference.
        window: HU window that it was trained for.
        name: of its bundle.
        sha256: of its weights.
        n_angles: views over 180 degrees that it was trained for.
        sigma: noise of the line integrals that it was trained for, in pixels of relative attenuation.
        precision: that the network computes in.
    """

    network: nn.Module
    window: Window
    name: str
    sha256: str
    n_angles: int
    sigma: float
    _: KW_ONLY
    precision: Precision = "float32"

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 1, H, W) the network's prediction of the slice behind an image, not clipped."""
        with torch.no_grad(), network_precision(self.precision, image):
            slices: torch.Tensor = self.network(image)
        return slices.to(image)


@dataclass(frozen=True)
class Refiner(SliceUNet):
    """The cascade's second network.

    Attributes:
        behind: hash of the FBP-UNet whose estimates it was trained on.
    """

    behind: str
