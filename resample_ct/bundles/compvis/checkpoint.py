"""Read a foreign checkpoint's tensors without running anything that it holds.

A pickle can run code. PyTorch's weights_only unpickler builds tensors and plain containers only; the
one class that the released Lightning files hold besides is stood in for by an empty one.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from resample_ct.errors import PriorError


class _ModelCheckpoint:
    """Stands for Lightning's callback, of which the files hold the class as a key, and no instance."""


_STAND_INS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_ModelCheckpoint, "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"),
    (_ModelCheckpoint, "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint"),
]

# Of a zip, and of a pickle in binary: PyTorch's formats since 1.6, and before.
_BEGINNINGS = (b"PK", b"\x80")


def load_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The `state_dict` of a Lightning checkpoint, on the CPU, in the precision of the file.

    Files in PyTorch's zip format are mapped into memory, so that only tensors in use take room.

    Raises:
        PriorError: no file, no checkpoint, no tensors in it, or any class that is not known to be
            harmless; that class is named, and none of its code has run.
    """
    if not path.is_file():
        raise PriorError(f"{path}: no such file, expected a checkpoint; give the path of its .ckpt")
    with path.open("rb") as file:
        if not file.read(2).startswith(_BEGINNINGS):
            raise PriorError(
                f"{path}: is no PyTorch checkpoint, expected the .ckpt that the authors released; "
                "give its path, or download it again"
            )
    try:
        with torch.serialization.safe_globals(_STAND_INS), warnings.catch_warnings():
            # Another pickle protocol is either read or refused, which is said below.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            content = torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
    except UnpicklingError as error:
        raise PriorError(f"{path}: {_refusal(str(error))}") from None
    except (EOFError, OSError, RuntimeError, ValueError, KeyError, IndexError, TypeError) as error:
        raise PriorError(
            f"{path}: cannot be read ({_first_line(error)}), expected a whole PyTorch checkpoint; "
            "download it again"
        ) from None
    state = content.get("state_dict") if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping):
        found = ", ".join(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise PriorError(
            f"{path}: found {found[:200] or 'nothing'}, expected a Lightning checkpoint with a "
            "state_dict; give the file that the authors released"
        )
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise PriorError(
                f"{path}: state_dict entry {name!r} is a {type(value).__name__}, expected a tensor; "
                "give the file that the authors released"
            )
    return dict(state)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _refusal(message: str) -> str:
    found = re.search(r"GLOBAL (\S+)|class (\S+)|attempting to import (\S+)", message)
    if found is None:
        # What goes before advises to load the file unsafely.
        reason = message.partition("WeightsUnpickler error:")[2].strip().split("\n\n")[0]
        return (
            f"cannot be read ({reason or 'no tensors'}), expected a whole PyTorch checkpoint; "
            "download it again"
        )
    name = next(filter(None, found.groups())).rstrip(".")
    return (
        f"holds {name}, expected tensors, plain containers and Lightning's ModelCheckpoint only; not "
        "loaded, because a pickled class can run code: save the state_dict alone, where you trust it"
    )
