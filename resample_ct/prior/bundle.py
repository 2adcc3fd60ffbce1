"""A prior on disk: `configs/metadata.json` beside `models/*.pt`, half precision, checked by hash."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from monai.networks.nets import AutoencoderKL
from torch import nn

from resample_ct.errors import OptionError, PriorError
from resample_ct.prior.latent import LatentPrior
from resample_ct.prior.networks import AutoencoderSettings, UNetSettings
from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.units import Window

FORMAT = "resample-ct-prior"
VERSION = 1
DEFAULT_BUNDLE = Path(__file__).parent / "default"
_PARTS = ("autoencoder", "unet")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_bundle(
    folder: Path,
    name: str,
    autoencoder: AutoencoderKL,
    autoencoder_settings: AutoencoderSettings,
    unet: nn.Module,
    unet_settings: UNetSettings,
    scale: float,
    window: Window,
    training: dict[str, Any],
) -> None:
    """Write a bundle; `training` records data, patients, command, seed and figures.

    Raises PriorError if the folder exists.
    """
    if folder.exists():
        raise PriorError(f"--out {folder}: exists, expected a new folder; name another one")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "models").mkdir(parents=True)
    (partial / "configs").mkdir()
    for part, network in zip(_PARTS, (autoencoder, unet), strict=True):
        weights = {k: v.half().contiguous() for k, v in network.state_dict().items()}
        torch.save(weights, partial / "models" / f"{part}.pt")
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "intended_use": "Research only; not for diagnosis.",
        "autoencoder": asdict(autoencoder_settings),
        "unet": asdict(unet_settings),
        "latent_scale": scale,
        "window_hu": [window.lower, window.upper],
        "image_size": 256,
        "training": training,
        "sha256": {part: _sha256(partial / "models" / f"{part}.pt") for part in _PARTS},
    }
    (partial / "configs" / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    partial.rename(folder)


def _settings(kind: type, values: dict[str, Any]) -> Any:
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def read_bundle(folder: Path | None = None, device: str = "cpu") -> LatentPrior:
    """Read a prior (the shipped one without a folder) in float32, ready for inference.

    Raises PriorError for a folder that is no bundle, another version, damaged metadata, or weights
    whose hash differs.
    """
    folder = folder or DEFAULT_BUNDLE
    path = folder / "configs" / "metadata.json"
    if not path.is_file():
        raise PriorError(
            f"--prior {folder}: no configs/metadata.json, expected a bundle written by "
            "`resample-ct fine-tune`; name such a folder"
        )
    try:
        metadata = json.loads(path.read_text())
        found = (metadata.get("format"), metadata.get("version"))
        if found != (FORMAT, VERSION):
            raise PriorError(
                f"{path}: format and version are {found}, expected {(FORMAT, VERSION)}; "
                "fine-tune again with this release"
            )
        return _read(folder, metadata, device)
    except (AttributeError, KeyError, TypeError, ValueError, OptionError) as error:
        raise PriorError(
            f"{path}: cannot be understood ({error!r}), expected what `resample-ct fine-tune` wrote; "
            "copy the bundle again"
        ) from error


def _read(folder: Path, metadata: dict[str, Any], device: str) -> LatentPrior:
    networks = {
        "autoencoder": _settings(AutoencoderSettings, metadata["autoencoder"]).build(),
        "unet": _settings(UNetSettings, metadata["unet"]).build(),
    }
    for part, network in networks.items():
        weights = folder / "models" / f"{part}.pt"
        if not weights.is_file():
            raise PriorError(f"{weights}: missing, expected the weights; copy the whole bundle")
        expected, found = metadata["sha256"][part], _sha256(weights)
        if found != expected:
            raise PriorError(
                f"{weights}: its sha256 is {found[:12]}…, expected {expected[:12]}…; copy the bundle "
                "again"
            )
        state = torch.load(weights, weights_only=True, map_location=device)
        network.load_state_dict({k: v.float() for k, v in state.items()})
        network.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    joined = "".join(metadata["sha256"][part] for part in _PARTS)
    return LatentPrior(
        autoencoder=networks["autoencoder"],
        unet=networks["unet"],
        scale=float(metadata["latent_scale"]),
        schedule=NoiseSchedule(),
        window=Window(*metadata["window_hu"]),
        name=metadata["name"],
        sha256=hashlib.sha256(joined.encode()).hexdigest(),
    )
