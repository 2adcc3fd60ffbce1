"""Work in progress on disk: `<out>.partial` belongs to one command, whose options it keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from resample_ct.errors import OptionError


def refuse_existing(out: Path) -> None:
    """Raise OptionError for an output folder that exists: nothing is overwritten."""
    if out.exists():
        raise OptionError(f"--out {out}: exists, expected a new folder; name another one")


def open_partial(out: Path, record: dict[str, Any], resume: bool) -> Path:
    """The folder to work in, new, or that of an interrupted run of the same command.

    Args:
        out: where the result will be.
        record: the command's options, and its weights' and sources' hashes, as JSON values; kept as
            `job.json`.
        resume: continue what is there.

    Raises:
        OptionError: leftovers without `resume`, or of other options, weights or slices.
    """
    partial = out.with_name(out.name + ".partial")
    path = partial / "job.json"
    if partial.exists():
        if not resume:
            raise OptionError(
                f"--out {partial}: left by an interrupted run; give --resume to continue it, or delete it"
            )
        if not path.exists() or json.loads(path.read_text()) != record:
            raise OptionError(
                f"--resume {path}: was written with other options, weights or slices, expected this "
                "command's; repeat the first command with --resume, or delete the folder"
            )
        return partial
    (partial / "batches").mkdir(parents=True)
    path.write_text(json.dumps(record, indent=2))
    return partial
