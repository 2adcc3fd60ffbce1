"""A released CompVis checkpoint to a bundle."""

from __future__ import annotations

from pathlib import Path

from resample_ct.bundles.bundle import write_bundle
from resample_ct.bundles.card import LatentPriorCard
from resample_ct.bundles.compvis.checkpoint import load_state_dict
from resample_ct.bundles.compvis.weights import convert_state_dict
from resample_ct.errors import PriorError


def convert_checkpoint(
    path: Path, out: Path, raw: bool = False, head_channels: int | None = None
) -> LatentPriorCard:
    """Write the bundle of an LDM-VQ4 checkpoint; values keep the checkpoint's precision.

    Args:
        path: a .ckpt file with the layout released for FFHQ, CelebA-HQ and LSUN.
        out: new folder.
        raw: the UNet as last trained instead of its running average.
        head_channels: of the UNet's attention, which the file does not tell; None is a known model's.

    Raises:
        PriorError: names the file, and the key, class or shape in it that is in the way.
    """
    # Refused before minutes of reading.
    if out.exists():
        raise PriorError(f"--out {out}: exists, expected a new folder; name another one")
    try:
        converted = convert_state_dict(load_state_dict(path), head_channels, raw)
    except PriorError as error:
        text = str(error)
        raise PriorError(text if text.startswith(str(path)) else f"{path}: {text}") from None
    card = LatentPriorCard(
        name=out.name,
        description=f"CompVis LDM-VQ4, converted from {path.name}; natural images, to be fine-tuned.",
        authors="CompVis (Rombach et al., CVPR 2022)",
        data_source=f"the images that {path.name} was trained on, under their own licence",
        licence="the checkpoint's own, for its authors to state (their code is MIT)",
        autoencoder=converted.autoencoder,
        unet=converted.unet,
        latent_scale=converted.scale,
        training={"converted_from": path.name, "unet": "raw" if raw else "running average"},
    )
    write_bundle(out, card, converted.weights)
    return card
