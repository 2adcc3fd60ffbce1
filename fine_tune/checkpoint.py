"""A training's state on disk: replaced whole or not at all, refused when it is another run's."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

from resample_ct.errors import ResampleCTError


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Replace `path` by `state`. Raises ResampleCTError, with the old file whole, on a full disk."""
    partial = path.with_suffix(".partial")
    try:
        torch.save(state, partial)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        free = shutil.disk_usage(path.parent).free // 2**20
        raise ResampleCTError(
            f"{path}: cannot be written, found {free} MB free on its disk, expected room for it; "
            "the one before is whole: free some space and give the same command again"
        ) from error
    os.replace(partial, path)


def load_checkpoint(path: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """The state of an interrupted run, None if there is none.

    Raises ResampleCTError for a damaged file, or one that was written under other settings.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        found = state["settings"]
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise ResampleCTError(
            f"{path}: cannot be read ({type(error).__name__}), expected a training checkpoint; "
            "delete it to start again"
        ) from error
    differing = [key for key in {**found, **settings} if found.get(key) != settings.get(key)]
    if differing:
        was, wanted = ({key: values.get(key) for key in differing} for values in (found, settings))
        raise ResampleCTError(
            f"{path}: written with {was}, expected {wanted}; use the same options, weights and data, or "
            "another output folder"
        )
    return state
