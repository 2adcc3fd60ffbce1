"""The pixel prior's network on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from resample_ct.bundles.bundle import read_card, read_networks, weights_hash
from resample_ct.bundles.card import BundleCard, ScheduleSettings, tensor_format
from resample_ct.networks.pixel_unet import PixelUNetSettings
from resample_ct.networks.settings import NetworkSettings
from resample_ct.prior.pixel import PixelPrior


class PixelPriorCard(BundleCard):
    """The card of a diffusion model on pixels: one UNet that predicts the clean slice."""

    method: ClassVar[str] = "dds"
    option: ClassVar[str] = "pixel-prior"

    kind: Literal["pixel-prior"] = "pixel-prior"
    unet: PixelUNetSettings = PixelUNetSettings()
    schedule: ScheduleSettings = ScheduleSettings()

    @property
    def networks(self) -> dict[str, NetworkSettings]:
        """The UNet."""
        return {"unet": self.unet}

    @property
    def data_formats(self) -> dict[str, Any]:
        """Noisy slice in, clean slice out."""
        channels = self.unet.image_channels
        noisy = tensor_format("noise", channels, self.image_size, [-10.0, 10.0])
        clean = tensor_format("image", channels, self.image_size, [-1.0, 1.0])
        return {
            "network_data_format": {
                "inputs": {"image": noisy},
                "outputs": {"pred": clean | {"channel_def": {"0": "CT slice"}}},
            }
        }


def read_pixel_prior(folder: Path | None = None, device: str = "cpu") -> PixelPrior:
    """Read a bundle, the shipped one without a folder. Raises PriorError where it cannot be used."""
    folder = folder or PixelPriorCard.shipped()
    card = read_card(folder, PixelPriorCard)
    unet = read_networks(folder, card, device)["unet"]
    return PixelPrior(unet, card.schedule.build(), card.window, card.name, weights_hash(card))
