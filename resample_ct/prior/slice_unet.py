"""A UNet from an image to the slice, for one number of views and one noise: on disk and in memory."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import nn

from resample_ct.prior.card import BundleCard, slice_formats
from resample_ct.prior.networks import NetworkSettings
from resample_ct.prior.precision import Precision, network_precision
from resample_ct.prior.residual_unet import ResidualUNetSettings
from resample_ct.units import Window


class SliceUNetCard(BundleCard):
    """Of both kinds, FBP-UNet's and the refiner's.

    Attributes:
        unet: the network.
        n_angles: views over 180 degrees that it was trained for.
        sigma: noise of the line integrals that it was trained for, in pixels of relative attenuation.
    """

    takes: ClassVar[str]
    """What the network is given, in words."""

    unet: ResidualUNetSettings = ResidualUNetSettings()
    n_angles: PositiveInt
    sigma: NonNegativeFloat

    @property
    def networks(self) -> dict[str, NetworkSettings]:
        """The UNet."""
        return {"unet": self.unet}

    @property
    def data_formats(self) -> dict[str, Any]:
        """What it takes in, slice out."""
        return slice_formats(self.takes, self.image_size)


@dataclass(frozen=True)
class SliceUNet:
    """Such a network, ready to run.

    Attributes:
        network: in single precision, for inference.
        window: HU window that it was trained for.
        name: of its bundle.
        sha256: of its weights.
        precision: that the network computes in.
    """

    network: nn.Module
    window: Window
    name: str
    sha256: str
    _: KW_ONLY
    precision: Precision = "float32"

    def believed(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 1, H, W) the slice that the network believes to be behind an image, not clipped."""
        with torch.no_grad(), network_precision(self.precision, image):
            slices: torch.Tensor = self.network(image)
        return slices.to(image)
