"""A prior on disk: a MONAI Bundle, which is rebuilt here from checked settings and never from its config.

    configs/metadata.json    MONAI's metadata and our card
    configs/inference.json   the same networks for monai.bundle
    configs/train.json       their training for monai.bundle
    models/<network>.pt      a state dict each, checked by hash
    docs/README.md, LICENSE

A MONAI config can run any code, so `configs/inference.json` is only compared with what the card gives.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from torch import nn

from resample_ct.bundles.card import FORMAT_VERSION, BundleCard, LatentPriorCard
from resample_ct.bundles.monai_files import (
    SECTION,
    as_of_today,
    card_fields,
    definitions,
    inference_config,
    licence,
    metadata,
    readme,
    train_config,
)
from resample_ct.errors import OptionError, PriorError
from resample_ct.prior.latent import LatentPrior

Card = TypeVar("Card", bound=BundleCard)
State = Mapping[str, torch.Tensor]


def half_precision(network: nn.Module) -> dict[str, torch.Tensor]:
    """A network's weights at half their size; they are read back in single precision."""
    return {name: value.half() for name, value in network.state_dict().items()}


def write_bundle(folder: Path, card: BundleCard, weights: Mapping[str, State]) -> None:
    """Write a bundle; the folder appears only when it is whole.

    Args:
        folder: new.
        card: what the bundle says of itself; its hashes are filled in.
        weights: each of the card's networks' state dict, stored in the precision that it has.

    Raises:
        PriorError: the folder exists, the disk is full, or weights are not finite or not those of the
            card's networks.
    """
    if folder.exists():
        raise PriorError(f"--out {folder}: exists, expected a new folder; name another one")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "models").mkdir(parents=True)
    sha256 = {}
    for name, settings in card.networks.items():
        with torch.device("meta"):
            expected = settings.build()
        _check_weights(f"{folder}: network {name}", expected, weights[name])
        path = _weights_file(partial, name)
        try:
            torch.save({key: _whole(value) for key, value in weights[name].items()}, path)
        except RuntimeError as error:
            # What torch makes of a full disk.
            raise PriorError(
                f"{path}: cannot be written ({str(error).splitlines()[0]}), expected room on its disk; "
                "free some space and give the same command again"
            ) from None
        sha256[name] = _sha256(path)
    card = card.model_copy(update={"sha256": sha256})
    for path, content in (
        (_metadata_file(partial), _json(metadata(card))),
        (_config_file(partial), _json(inference_config(card))),
        (_config_file(partial, "train"), _json(train_config())),
        (partial / "docs" / "README.md", readme(card)),
        (partial / "LICENSE", licence(card)),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    partial.rename(folder)


def read_card(folder: Path, *kinds: type[Card], option: str | None = None) -> Card:
    """What a bundle of one of some kinds says of itself, checked; its weights are not read.

    `option` is what named the folder, where it is not the kind's own.

    Raises PriorError for a folder that is no bundle, one of another kind or format, or damaged metadata.
    """
    path = _metadata_file(folder)
    try:
        content = json.loads(path.read_text())
        section = content[SECTION] if isinstance(content, dict) and SECTION in content else None
    except OSError:
        raise PriorError(
            f"--{option or kinds[0].option} {folder}: no configs/metadata.json, expected a bundle "
            "written by `resample-ct fine-tune` or `convert`; name such a folder"
        ) from None
    except ValueError as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(section, dict):
        raise PriorError(
            f"{path}: no section {SECTION}, expected a bundle of format {FORMAT_VERSION}; another "
            "program's bundle, or an earlier release's: fine-tune again, or convert its checkpoint"
        )
    if section.get("bundle_format") != FORMAT_VERSION:
        raise PriorError(
            f"{path}: bundle_format is {section.get('bundle_format')!r}, expected {FORMAT_VERSION}; use "
            "the release of resample-ct that wrote it, or fine-tune again with this one"
        )
    known = {kind.model_fields["kind"].default: kind for kind in kinds}
    found = section.get("kind")
    if not isinstance(found, str) or found not in known:
        raise PriorError(
            f"{path}: kind is {found!r}, expected {' or '.join(map(repr, known))}; name a bundle of that "
            "kind"
        )
    try:
        return known[found].model_validate(card_fields(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or SECTION
        raise _damaged(path, f"{where}: {first['msg']}, found {first['input']!r:.60}") from None
    except OptionError as error:
        raise _damaged(path, str(error)) from None


def read_networks(folder: Path, card: BundleCard, device: str = "cpu") -> dict[str, Any]:
    """A bundle's networks in single precision, ready for inference; weights are checked by hash.

    Raises PriorError for weights that are missing, changed or of other networks, and for a MONAI config
    that describes other networks than the card.
    """
    check_config(folder, card)
    networks: dict[str, Any] = {}
    for name, settings in card.networks.items():
        path = _weights_file(folder, name)
        if not path.is_file():
            raise PriorError(f"{path}: missing, expected the weights; copy the whole bundle")
        expected, found = card.sha256.get(name, ""), _sha256(path)
        if found != expected:
            raise PriorError(
                f"{path}: its sha256 is {found[:12]}…, expected {expected[:12]}…; copy the bundle again"
            )
        try:
            with torch.device("meta"):
                network: nn.Module = settings.build()
            state = torch.load(path, weights_only=True, map_location=device)
        except (ValueError, UnpicklingError) as error:
            raise _damaged(path, str(error).splitlines()[0]) from None
        _check_weights(str(path), network, state)
        network.load_state_dict({key: value.float() for key, value in state.items()}, assign=True)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        networks[name] = network.to(device).eval().requires_grad_(False)
    return networks


def read_bundle(folder: Path | None = None, device: str = "cpu") -> LatentPrior:
    """Read a latent prior (the shipped one without a folder) in single precision, ready for inference.

    Raises PriorError as `read_card` and `read_networks` do.
    """
    folder = folder or LatentPriorCard.shipped()
    card = read_card(folder, LatentPriorCard)
    networks = read_networks(folder, card, device)
    return LatentPrior(
        autoencoder=networks["autoencoder"],
        unet=networks["unet"],
        scale=card.latent_scale,
        schedule=card.schedule.build(),
        window=card.window,
        name=card.name,
        sha256=weights_hash(card),
        image_channels=card.autoencoder.image_channels,
        quantise=card.quantise,
        image_size=card.image_size,
        spacing_mm=card.spacing_mm,
        prediction=card.prediction,
    )


def weights_hash(card: BundleCard) -> str:
    """One hash for all of a bundle's weights, for the record of a run."""
    joined = "".join(card.sha256[name] for name in card.networks)
    return hashlib.sha256(joined.encode()).hexdigest()


def _metadata_file(folder: Path) -> Path:
    return folder / "configs" / "metadata.json"


def _config_file(folder: Path, use: str = "inference") -> Path:
    return folder / "configs" / f"{use}.json"


def _weights_file(folder: Path, name: str) -> Path:
    return folder / "models" / f"{name}.pt"


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _whole(value: torch.Tensor) -> torch.Tensor:
    """A tensor that shares its storage with no other, since torch.save writes whole storages."""
    value = value.detach().cpu().contiguous()
    if value.untyped_storage().nbytes() > value.numel() * value.element_size():
        return value.clone()
    return value


def _damaged(path: Path, reason: str) -> PriorError:
    return PriorError(
        f"{path}: cannot be understood ({reason}), expected what `resample-ct` wrote; copy the bundle "
        "again"
    )


def _check_weights(what: str, network: nn.Module, state: State) -> None:
    expected = network.state_dict()
    wrong = sorted(expected.keys() ^ state.keys()) or [
        name for name, value in state.items() if value.shape != expected[name].shape
    ]
    if wrong:
        raise PriorError(
            f"{what}: weight {wrong[0]} is missing, unknown or of another shape, expected those of the "
            "network that the bundle's card describes; copy the bundle again"
        )
    for name, value in state.items():
        if not value.isfinite().all():
            raise PriorError(
                f"{what}: weight {name} holds NaN or infinity, expected finite numbers; the training "
                "diverged, or half precision is too small for it"
            )


def check_config(folder: Path, card: BundleCard) -> None:
    """Raise PriorError for a MONAI config that is missing, or describes other networks than the card."""
    path = _config_file(folder)
    try:
        content = json.loads(path.read_text())
    except OSError:
        raise PriorError(f"{path}: missing, expected MONAI's config; copy the whole bundle") from None
    except ValueError as error:
        raise _damaged(path, str(error)) from None
    for name, definition in definitions(card).items():
        if not isinstance(content, dict) or as_of_today(content.get(name)) != definition:
            raise PriorError(
                f"{path}: {name} describes another network than {_metadata_file(folder)}, expected the "
                "same; copy the bundle again"
            )
