"""The node's folder: instances kept durably, one folder a job, one node at a time.

queue.sqlite               the queue
incoming/<series>/<instance>.dcm
incoming.tmp/              being received; not yet answered with success
jobs/<id>/source/          hard links to the instances of the job
jobs/<id>/out/             the result, whole
jobs/<id>/log              what the reconstruction printed
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resample_ct.errors import OptionError

_UID = re.compile(r"[0-9.]{1,64}")


def is_uid(text: str) -> bool:
    """Whether a UID is safe as a file name; strict about characters, lenient about components."""
    return bool(_UID.fullmatch(text)) and text.strip(".") != ""


def sync(path: Path) -> None:
    """Wait until a file's or a folder's content is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class StateFolder:
    """Paths and durable writing below one root."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.queue = self.root / "queue.sqlite"
        self.incoming = self.root / "incoming"
        self.arriving = self.root / "incoming.tmp"
        self.jobs = self.root / "jobs"

    def make(self) -> None:
        """Create what is missing; what peers send is nobody else's to read."""
        for path in (self.root, self.incoming, self.arriving, self.jobs):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def free_bytes(self) -> int:
        """Space left on the folder's disk."""
        return shutil.disk_usage(self.root).free

    def new_file(self) -> Path:
        """A path for an instance that is arriving."""
        return self.arriving / uuid.uuid4().hex

    def instance(self, series_uid: str, sop_uid: str) -> Path:
        """Where an instance is kept."""
        return self.incoming / series_uid / f"{sop_uid}.dcm"

    def keep(self, arrived: Path, series_uid: str, sop_uid: str) -> Path:
        """Move an arrived file to its place; when this returns it survives a power cut."""
        sync(arrived)
        path = self.instance(series_uid, sop_uid)
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True, mode=0o700)
            sync(self.incoming)
        os.replace(arrived, path)
        sync(path.parent)
        return path

    def sweep(self, known: set[Path]) -> int:
        """Delete files of instances that were not acknowledged. Returns their number."""
        found = [path for path in self.incoming.glob("*/*") if path not in known]
        found += self.arriving.iterdir()
        for path in found:
            path.unlink(missing_ok=True)
        for folder in self.incoming.iterdir():
            if not any(folder.iterdir()):
                folder.rmdir()
        return len(found)

    def job(self, number: int) -> Path:
        """A job's folder."""
        return self.jobs / str(number)

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Hold the folder. Raises OptionError where another node has it."""
        self.make()
        with (self.root / "node.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise OptionError(
                    f"--folder {self.root}: in use by another node, expected a folder of this node's "
                    "own; stop that node, or name another folder"
                ) from None
            yield
