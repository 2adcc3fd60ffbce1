"""The second network of the cascade on disk, and which FBP-UNet it was trained behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveInt

from resample_ct.prior.card import BundleCard, tensor_format
from resample_ct.prior.networks import NetworkSettings
from resample_ct.prior.residual_unet import ResidualUNetSettings

SHIPPED_REFINER = Path(__file__).parent / "shipped" / "refiner"


class RefinerCard(BundleCard):
    """Of the network that takes out what FBP-UNet left and the measurement allows.

    Attributes:
        unet: the network.
        n_angles: views over 180 degrees that it was trained for.
        sigma: noise of the line integrals that it was trained for, in pixels of relative attenuation.
        behind: hash of the FBP-UNet whose estimates it was trained on.
    """

    method: ClassVar[str] = "cascade"
    job_field: ClassVar[str] = "refiner"

    kind: Literal["refiner"] = "refiner"
    unet: ResidualUNetSettings = ResidualUNetSettings()
    n_angles: PositiveInt
    sigma: NonNegativeFloat
    behind: str

    @property
    def networks(self) -> dict[str, NetworkSettings]:
        """The UNet."""
        return {"unet": self.unet}

    @property
    def data_formats(self) -> dict[str, Any]:
        """Consistent estimate in, slice out."""
        image = tensor_format("image", 1, self.image_size, [0.0, 1.0])
        return {
            "network_data_format": {
                "inputs": {
                    "image": image | {"channel_def": {"0": "FBP-UNet's estimate, made consistent"}}
                },
                "outputs": {"pred": image | {"channel_def": {"0": "CT slice"}}},
            }
        }
