"""The networks themselves, and the settings that rebuild each of them; no weights, no files.

`resample_ct.networks.NAME` is the path by which bundles on users' disks name a network: it stays where it
is, wherever the class lives.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

PUBLIC = {
    "DnCNN": "denoiser",
    "PixelUNet": "pixel_unet",
    "ResidualUNet": "residual_unet",
    "VQAutoencoder": "vq_autoencoder",
}


def __getattr__(name: str) -> Any:
    """A network's class, imported when it is asked for."""
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return resolve_name(f"{__name__}.{PUBLIC[name]}:{name}")


def __dir__() -> list[str]:
    return sorted([*globals(), *PUBLIC])
