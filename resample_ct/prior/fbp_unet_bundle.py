"""FBP-UNet's network on disk, and what it was trained for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveInt

from resample_ct.prior.card import BundleCard, tensor_format
from resample_ct.prior.networks import NetworkSettings
from resample_ct.prior.residual_unet import ResidualUNetSettings

SHIPPED_FBP_UNET = Path(__file__).parent / "shipped" / "fbp-unet"


class FBPUNetCard(BundleCard):
    """Of the network that takes the streaks out of an FBP.

    Attributes:
        unet: the network.
        n_angles: views over 180 degrees that it was trained for.
        sigma: noise of the line integrals that it was trained for, in pixels of relative attenuation.
    """

    method: ClassVar[str] = "fbp-unet"
    job_field: ClassVar[str] = "fbp_unet"

    kind: Literal["fbp-unet"] = "fbp-unet"
    unet: ResidualUNetSettings = ResidualUNetSettings()
    n_angles: PositiveInt
    sigma: NonNegativeFloat

    @property
    def networks(self) -> dict[str, NetworkSettings]:
        """The UNet."""
        return {"unet": self.unet}

    @property
    def data_formats(self) -> dict[str, Any]:
        """FBP in, slice out."""
        image = tensor_format("image", 1, self.image_size, [0.0, 1.0])
        return {
            "network_data_format": {
                "inputs": {"image": image | {"channel_def": {"0": "filtered back-projection"}}},
                "outputs": {"pred": image | {"channel_def": {"0": "CT slice"}}},
            }
        }
