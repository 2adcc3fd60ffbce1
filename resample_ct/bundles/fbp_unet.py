"""FBP-UNet's network on disk."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from resample_ct.bundles.bundle import read_card, read_networks, weights_hash
from resample_ct.bundles.slice_unet import SliceUNetCard
from resample_ct.networks.slice_unet import SliceUNet


class FBPUNetCard(SliceUNetCard):
    """The card of the network that removes the streaks of an FBP."""

    method: ClassVar[str] = "fbp-unet"
    option: ClassVar[str] = "fbp-unet"
    takes: ClassVar[str] = "filtered back-projection"

    kind: Literal["fbp-unet"] = "fbp-unet"


def read_fbp_unet(folder: Path | None = None, device: str = "cpu") -> SliceUNet:
    """Read a bundle, the shipped one without a folder. Raises PriorError where it cannot be used."""
    folder = folder or FBPUNetCard.shipped()
    card = read_card(folder, FBPUNetCard)
    network = read_networks(folder, card, device)["unet"]
    return SliceUNet(network, card.window, card.name, weights_hash(card), card.n_angles, card.sigma)
