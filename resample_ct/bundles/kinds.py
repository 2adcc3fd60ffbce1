"""The one list of bundle kinds: what an option of the command line and a method's needs call each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any


@dataclass(frozen=True)
class BundleKind:
    """One kind of bundle. Nothing is imported before it is read.

    Attributes:
        name: of the option `--name`, and of the shipped bundle's folder.
        summary: what it holds, in a few words.
        reader: "module:function" that reads it.
    """

    name: str
    summary: str
    reader: str

    def read(self, folder: Path | None = None, device: str = "cpu") -> Any:
        """The network, the shipped one without a folder. Raises PriorError where it cannot be used."""
        return resolve_name(f"resample_ct.bundles.{self.reader}")(folder, device)


_KINDS = (
    BundleKind("prior", "Latent diffusion prior.", "bundle:read_bundle"),
    BundleKind("fbp-unet", "FBP-UNet's network.", "fbp_unet:read_fbp_unet"),
    BundleKind("refiner", "The cascade's second network.", "refiner:read_refiner"),
    BundleKind("pixel-prior", "Diffusion prior on pixels.", "pixel_prior:read_pixel_prior"),
    BundleKind("dncnn", "ADMM-PnP's denoiser.", "denoiser:read_dncnn"),
    BundleKind("unet-denoiser", "PnP-UNet's denoiser.", "denoiser:read_unet_denoiser"),
)
BUNDLES: dict[str, BundleKind] = {kind.name: kind for kind in _KINDS}
