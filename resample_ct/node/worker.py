"""Runs queued jobs, one at a time, each as a `resample-ct reconstruct` process of its own.

A process of its own keeps a crash in a codec, or a lack of memory, away from what is being received. It
holds a lock on its job's folder for as long as it lives, also when the node is killed under it: the
next node waits for it, and takes its result.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pydicom

from resample_ct import __version__
from resample_ct.node.folder import StateFolder, sync
from resample_ct.node.log import LOGGER
from resample_ct.node.queue import Queue, QueuedJob
from resample_ct.node.settings import NodeSettings

_MOST_CRASHES = 3
_POLL_SECONDS = 0.2
_STOP_SECONDS = 5.0
_COMMAND = (sys.executable, "-m", "resample_ct", "reconstruct")


class Worker:
    """Takes jobs from `queued` to `reconstructed` or `failed`."""

    def __init__(self, settings: NodeSettings, folder: StateFolder, queue: Queue, stop: Event) -> None:
        self._settings = settings
        self._folder = folder
        self._queue = queue
        self._stop = stop

    def step(self) -> bool:
        """Run the next job, if there is one. Returns whether there was."""
        if self._folder.free_bytes() < self._settings.limits.free_bytes:
            return False
        job = self._queue.start_next()
        if job is None:
            return False
        path = self._folder.job(job.number)
        path.mkdir(exist_ok=True, mode=0o700)
        with _locked(path / "lock", self._stop) as descriptor:
            if descriptor is None:
                return False
            code = 0
            if not (path / "out").exists():
                self._prepare(job, path)
                LOGGER.info("job %d: reconstructing %d instances", job.number, _count(path / "source"))
                code = self._run(path, descriptor)
            if (path / "out").exists():
                self._finish(job, path)
            elif not self._stop.is_set():
                self._fail(job, path, code)
        return True

    def _prepare(self, job: QueuedJob, path: Path) -> None:
        """Link the job's instances, and drop a beginning of other options, versions or files."""
        shutil.rmtree(path / "source", ignore_errors=True)
        (path / "source").mkdir()
        instances = {}
        for sop_uid, file in self._queue.sources(job.number):
            os.link(file, path / "source" / f"{sop_uid}.dcm")
            found = file.stat()
            instances[sop_uid] = found.st_size, found.st_mtime_ns
        made_by = json.dumps([__version__, self._settings.arguments, instances], sort_keys=True)
        record, partial = path / "made-by.json", path / "out.partial"
        if not record.exists() or record.read_text() != made_by or not _can_resume(partial):
            shutil.rmtree(partial, ignore_errors=True)
        record.write_text(made_by)

    def _run(self, path: Path, descriptor: int) -> int:
        """Reconstruct; on a stop the process ends, and the next node resumes its work."""
        command = [*_COMMAND, str(path / "source"), "--out", str(path / "out"), "--resume"]
        with (path / "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, *self._settings.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[descriptor],
                start_new_session=True,
            )
        while process.poll() is None:
            if self._stop.wait(_POLL_SECONDS):
                process.terminate()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        return process.returncode

    def _finish(self, job: QueuedJob, path: Path) -> None:
        results = []
        for file in sorted((path / "out" / "dicom").rglob("*.dcm")):
            sync(file)
            header = pydicom.dcmread(file, specific_tags=["SOPInstanceUID"], stop_before_pixels=True)
            results.append((str(header.SOPInstanceUID), file))
        self._queue.reconstructed(job.number, results)
        for left in ("source", "out.partial"):
            shutil.rmtree(path / left, ignore_errors=True)
        LOGGER.info("job %d: reconstructed, %d instances to send", job.number, len(results))

    def _fail(self, job: QueuedJob, path: Path, code: int) -> None:
        told = _error_line(path / "log")
        if told is not None:
            self._queue.failed(job, told)
        elif job.attempts + 1 < _MOST_CRASHES:
            self._queue.retry(job, _crash(code), 10.0 * (job.attempts + 1))
        else:
            self._queue.failed(job, f"{_crash(code)} {_MOST_CRASHES} times; see {path / 'log'}")
        # The line itself may name a patient.
        LOGGER.error(
            "job %d: not reconstructed; `resample-ct node --status --folder %s` says why",
            job.number,
            self._folder.root,
        )


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def _crash(code: int) -> str:
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return f"the reconstruction ended {how}"


def _error_line(log: Path) -> str | None:
    """What the command told its user to put right, None where it told nothing."""
    lines = log.read_text(errors="replace").splitlines()
    told = [line for line in lines if line.startswith("Error: ")]
    return told[-1].removeprefix("Error: ") if told else None


def _can_resume(partial: Path) -> bool:
    """Whether the interrupted run got as far as saying what it does."""
    try:
        json.loads((partial / "job.json").read_text())
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def _locked(path: Path, stop: Event) -> Iterator[int | None]:
    """A descriptor that holds the lock, once a process that an earlier node left has ended."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        held = False
        while not held and not stop.is_set():
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
            except BlockingIOError:
                stop.wait(_POLL_SECONDS)
        yield descriptor if held else None
    finally:
        os.close(descriptor)
