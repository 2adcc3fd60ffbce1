"""Work in progress on disk: `<out>.partial` belongs to one command, whose options it keeps."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from resample_ct.errors import OptionError, without_room

_LOCK, _RECORD, _BATCHES = "lock", "job.json", "batches"


def refuse_out(out: Path) -> None:
    """Raise OptionError for an output that exists, since nothing is overwritten, or that cannot be made.

    Args:
        out: a file or folder that is to be written in the end, with the folders above it.
    """
    if out.exists() or out.is_symlink():
        raise OptionError(f"--out {out}: exists, expected a new path; name another one")
    above = next(folder for folder in out.parents if folder.exists())
    try:
        Path(tempfile.mkdtemp(prefix=f".{out.name[:32]}-", dir=above)).rmdir()
    except OSError as error:
        raise OptionError(
            f"--out {out}: nothing can be written in {above} ({error.strerror}), expected a folder that "
            "you may write in; name another one, or change its permissions"
        ) from None


@contextmanager
def held(folder: Path, option: str = "--out") -> Iterator[None]:
    """Hold a folder against every other run of this program, for as long as the block lasts.

    Args:
        folder: of the work in progress.
        option: what named it, for the message.

    Raises:
        OptionError: another run holds it.
    """
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise OptionError(
            f"{option} {folder}: another run is at work in it, expected a folder of this run's own; wait "
            "until that run has ended, or name another one"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def work_folder(out: Path, record: dict[str, Any], resume: bool) -> Iterator[Path]:
    """The folder to work in, new, or that of an interrupted run of the same command.

    It is held while the block lasts. A block that ends without an error has its result in `out`, and
    the folder is deleted; else it stays, for the command to be given again with `--resume`.

    Args:
        out: where the result will be.
        record: the command's options, and its weights' and sources' hashes, as JSON values; kept as
            `job.json`.
        resume: continue what is there.

    Raises:
        OptionError: leftovers without `resume`, or of other options, weights or slices; another run that
            is at work there; a disk that is full.
    """
    partial = out.with_name(out.name + ".partial")
    partial.mkdir(parents=True, exist_ok=True)
    with held(partial):
        # Another run may have ended since this one was asked for.
        refuse_out(out)
        with _advice_where_no_room(partial):
            _begin(partial, record, resume)
            yield partial
    shutil.rmtree(partial)


def _begin(partial: Path, record: dict[str, Any], resume: bool) -> None:
    """Continue what the folder holds, or make a beginning in it."""
    path = partial / _RECORD
    beginning = path.with_suffix(".tmp")
    # What a run leaves that was stopped before it had said what it does.
    nothing = {path.name for path in partial.iterdir()} <= {_LOCK, beginning.name}
    if not nothing and not resume:
        raise OptionError(
            f"--out {partial}: left by an interrupted run; give --resume to continue it, or delete it"
        )
    if nothing:
        beginning.write_text(json.dumps(record, indent=2), encoding="utf-8")
        os.replace(beginning, path)
    elif _recorded(path) != record:
        raise OptionError(
            f"--resume {path}: was written with other options, weights or slices, expected this "
            "command's; repeat the first command with --resume, or delete the folder"
        )
    (partial / _BATCHES).mkdir(exist_ok=True)


def _recorded(path: Path) -> object:
    """What a run said of itself, None where that cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


@contextmanager
def _advice_where_no_room(partial: Path) -> Iterator[None]:
    """A full disk as one line that says how to go on."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if not without_room(error, partial):
            raise
        reason = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0]
        raise OptionError(
            f"{getattr(error, 'filename', None) or partial}: cannot be written ({reason}), expected room "
            f"on its disk; {partial} keeps what is finished: free some space, and give the same command "
            "with --resume"
        ) from None
