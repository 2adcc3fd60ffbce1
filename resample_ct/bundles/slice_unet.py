"""The card of a UNet from an image to the slice, for one number of views and one noise."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import NonNegativeFloat, PositiveInt

from resample_ct.bundles.card import BundleCard, slice_formats
from resample_ct.networks.residual_unet import ResidualUNetSettings
from resample_ct.networks.settings import NetworkSettings


class SliceUNetCard(BundleCard):
    """What the cards of FBP-UNet and of the refiner share.

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
