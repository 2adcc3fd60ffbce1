"""One trained network on disk, of a kind that a comparison method needs.

`configs/metadata.json` beside `models/network.pt`, half precision, checked by hash. The metadata say
what kind it is and hold the settings that rebuild it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from resample_ct.errors import OptionError, PriorError
from resample_ct.prior.denoiser import DnCNNSettings, UNetDenoiserSettings
from resample_ct.prior.pixel import PixelUNetSettings
from resample_ct.units import Window

FORMAT = "resample-ct-network"
VERSION = 1
SHIPPED = Path(__file__).parent / "shipped"


class NetworkSettings(Protocol):
    """A frozen dataclass that builds its network."""

    def build(self) -> nn.Module:
        """The network, untrained."""
        ...


KINDS: dict[str, type] = {
    "pixel": PixelUNetSettings,
    "dncnn": DnCNNSettings,
    "unet-denoiser": UNetDenoiserSettings,
}


@dataclass(frozen=True)
class TrainedNetwork:
    """A bundle, read: the network in float32, ready for inference."""

    kind: str
    network: nn.Module
    settings: NetworkSettings
    window: Window
    name: str
    sha256: str


def write_network(
    folder: Path,
    kind: str,
    name: str,
    network: nn.Module,
    settings: NetworkSettings,
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
    weights = partial / "models" / "network.pt"
    weights.parent.mkdir(parents=True)
    (partial / "configs").mkdir()
    torch.save({k: v.half().contiguous() for k, v in network.state_dict().items()}, weights)
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "kind": kind,
        "name": name,
        "intended_use": "Research only; not for diagnosis.",
        "settings": asdict(cast(Any, settings)),
        "window_hu": [window.lower, window.upper],
        "training": training,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
    }
    (partial / "configs" / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    partial.rename(folder)


def read_network(folder: Path, device: str = "cpu") -> TrainedNetwork:
    """Read a bundle.

    Raises PriorError for a folder that is no such bundle, another version, damaged metadata, or
    weights whose hash differs.
    """
    path = folder / "configs" / "metadata.json"
    if not path.is_file():
        raise PriorError(f"{folder}: no configs/metadata.json, expected a network's bundle; name another")
    try:
        metadata = json.loads(path.read_text())
        found = (metadata.get("format"), metadata.get("version"))
        if found != (FORMAT, VERSION):
            raise PriorError(
                f"{path}: format and version are {found}, expected {(FORMAT, VERSION)}; "
                "train again with this release"
            )
        return _read(folder, metadata, device)
    except (AttributeError, KeyError, TypeError, ValueError, ValidationError, OptionError) as error:
        raise PriorError(
            f"{path}: cannot be understood ({error!r}), expected what `resample-ct fine-tune` wrote; "
            "copy the bundle again"
        ) from error


def _read(folder: Path, metadata: dict[str, Any], device: str) -> TrainedNetwork:
    settings: NetworkSettings = TypeAdapter(KINDS[metadata["kind"]]).validate_python(metadata["settings"])
    weights = folder / "models" / "network.pt"
    if not weights.is_file():
        raise PriorError(f"{weights}: missing, expected the weights; copy the whole bundle")
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    if sha256 != metadata["sha256"]:
        raise PriorError(
            f"{weights}: its sha256 is {sha256[:12]}…, expected {metadata['sha256'][:12]}…; copy the "
            "bundle again"
        )
    network = settings.build()
    state = torch.load(weights, weights_only=True, map_location=device)
    network.load_state_dict({k: v.float() for k, v in state.items()})
    network.to(device).eval().requires_grad_(False)
    return TrainedNetwork(
        metadata["kind"], network, settings, Window(*metadata["window_hu"]), metadata["name"], sha256
    )
