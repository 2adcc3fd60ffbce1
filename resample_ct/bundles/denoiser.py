"""The denoisers on disk: DnCNN for ADMM-PnP, FBP-UNet's network trained on noise for PnP-UNet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import PositiveFloat

from resample_ct.bundles.bundle import read_card, read_networks, weights_hash
from resample_ct.bundles.card import BundleCard, slice_formats
from resample_ct.networks.denoiser import Denoiser, DnCNNSettings
from resample_ct.networks.residual_unet import ResidualUNetSettings
from resample_ct.networks.settings import NetworkSettings


class DenoiserCard(BundleCard):
    """What a denoiser's bundle says of itself, whichever of the two kinds it is.

    Attributes:
        denoiser: the network.
        sigma: noise that it was trained for, of relative attenuation.
    """

    denoiser: DnCNNSettings | ResidualUNetSettings
    sigma: PositiveFloat

    @property
    def networks(self) -> dict[str, NetworkSettings]:
        """The one network."""
        return {"denoiser": self.denoiser}

    @property
    def data_formats(self) -> dict[str, Any]:
        """Noisy slice in, slice out."""
        return slice_formats("noisy CT slice", self.image_size)


class DnCNNCard(DenoiserCard):
    """What the bundle of ADMM-PnP's denoiser says of itself."""

    method: ClassVar[str] = "admm-pnp"
    option: ClassVar[str] = "dncnn"

    kind: Literal["dncnn"] = "dncnn"
    denoiser: DnCNNSettings = DnCNNSettings()


class UNetDenoiserCard(DenoiserCard):
    """What the bundle of PnP-UNet's denoiser says of itself."""

    method: ClassVar[str] = "pnp-unet"
    option: ClassVar[str] = "unet-denoiser"

    kind: Literal["unet-denoiser"] = "unet-denoiser"
    denoiser: ResidualUNetSettings = ResidualUNetSettings()


def read_dncnn(folder: Path | None = None, device: str = "cpu") -> Denoiser:
    """Read a bundle, the shipped one without a folder. Raises PriorError where it cannot be used."""
    return _read(DnCNNCard, folder, device)


def read_unet_denoiser(folder: Path | None = None, device: str = "cpu") -> Denoiser:
    """Read a bundle, the shipped one without a folder. Raises PriorError where it cannot be used."""
    return _read(UNetDenoiserCard, folder, device)


def _read(kind: type[DenoiserCard], folder: Path | None, device: str) -> Denoiser:
    folder = folder or kind.shipped()
    card = read_card(folder, kind)
    network = read_networks(folder, card, device)["denoiser"]
    return Denoiser(network, card.sigma, card.window, card.name, weights_hash(card))
