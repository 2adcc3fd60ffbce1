"""The second network of the cascade on disk, and which FBP-UNet it was trained behind."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from resample_ct.bundles.bundle import read_card, read_networks, weights_hash
from resample_ct.bundles.slice_unet import SliceUNetCard
from resample_ct.networks.slice_unet import Refiner


class RefinerCard(SliceUNetCard):
    """The card of the network that removes the errors that FBP-UNet left.

    Attributes:
        behind: hash of the FBP-UNet whose estimates it was trained on.
    """

    method: ClassVar[str] = "cascade"
    option: ClassVar[str] = "refiner"
    takes: ClassVar[str] = "FBP-UNet's estimate, made consistent"

    kind: Literal["refiner"] = "refiner"
    behind: str


def read_refiner(folder: Path | None = None, device: str = "cpu") -> Refiner:
    """Read a bundle, the shipped one without a folder. Raises PriorError where it cannot be used."""
    folder = folder or RefinerCard.shipped()
    card = read_card(folder, RefinerCard)
    network = read_networks(folder, card, device)["unet"]
    return Refiner(
        network,
        card.window,
        card.name,
        weights_hash(card),
        card.n_angles,
        card.sigma,
        behind=card.behind,
    )
