# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs a queue's jobs one at a time, each as a `resample-ct reconstruct` process of its own.

    FOLDER/<number>/source/   the instances of the series
                    out/      the result, whole
                    log       what the command printed
                    lock      held by the command for as long as it lives
                    pid       of the command

Every step can be repeated, so that a PACS or a command that is killed at any moment loses nothing. The
command outlives a PACS that is killed; the next one waits for it and takes its result.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from reconstruction_queue import CANCELLED, Job, Queue

_MOST_CRASHES = 3
_POLL_SECONDS = 0.2
_STOP_SECONDS = 5.0


class Pacs(Protocol):
    """Where series come from and go to."""

    def dicom(self, instance: str) -> bytes:
        """The file of an instance."""
        ...

    def store(self, content: bytes) -> str:
        """Keep an instance, which may be there already, and return its series."""
        ...


class Worker(threading.Thread):
    """Takes jobs from Pending to Success or Failure."""

    def __init__(self, queue: Queue, command: list[str], pacs: Pacs, warn: Callable[[str], None]) -> None:
        """Make a worker, which `start` starts.

        Args:
            queue: of the jobs.
            command: `resample-ct`, and options of its `reconstruct`.
            pacs: source and destination.
            warn: told of what went wrong, in words that name no patient.
        """
        super().__init__(name="resample-ct")
        self._queue = queue
        self._command = command
        self._pacs = pacs
        self._warn = warn
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        """End the command that runs; the next PACS resumes its work."""
        self._stop_asked.set()
        self._queue.more.set()
        self.join()

    def run(self) -> None:
        """Work until `stop`."""
        while not self._stop_asked.is_set():
            job = self._queue.next()
            if job is None:
                self._queue.more.wait()
                continue
            try:
                with _locked(self._queue.path(job) / "lock", self._waiting(job)) as descriptor:
                    self._reconstruct(job, descriptor)
            except Exception as error:  # whatever it is, the next job must not suffer for it
                self._queue.end(job, f"{type(error).__name__}: {error}")
            if job.error:
                self._warn(f"resample-ct: job {job.number} has failed; GET /jobs/... says why")

    def _waiting(self, job: Job) -> Callable[[], bool]:
        """Waits a moment when called, and says whether to wait on."""
        return lambda: not self._stop_asked.wait(_POLL_SECONDS) and not self._queue.is_cancelled(job)

    def _reconstruct(self, job: Job, descriptor: int | None) -> None:
        """Do what is left of a job; without a descriptor, an earlier PACS's command is at it."""
        path = self._queue.path(job)
        code = 0
        if descriptor is not None and not (path / "out").exists():
            self._fetch(job, path)
            code = self._run(job, path, descriptor)
        if self._stop_asked.is_set():
            return
        if self._queue.is_cancelled(job):
            if descriptor is None:
                # It holds the lock, so this number is still its own.
                os.kill(int((path / "pid").read_text()), signal.SIGTERM)
            self._queue.end(job, CANCELLED)
        elif (path / "out").exists():
            files = sorted((path / "out" / "dicom").rglob("*.dcm"))
            job.results = list(dict.fromkeys(self._pacs.store(file.read_bytes()) for file in files))
            self._queue.end(job)
        else:
            self._fail(job, path, code)

    def _fetch(self, job: Job, path: Path) -> None:
        """Copy the instances; the folder appears when it is whole."""
        partial, whole = path / "source.partial", path / "source"
        if whole.exists():
            return
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for number, instance in enumerate(job.instances):
            (partial / f"{number}.dcm").write_bytes(self._pacs.dicom(instance))
        partial.rename(whole)

    def _run(self, job: Job, path: Path, descriptor: int) -> int:
        """Run the command, and end it where that is asked for; its exit code."""
        if not (path / "out.partial" / "job.json").exists():
            # Killed before it had said what it does: there is nothing to resume.
            shutil.rmtree(path / "out.partial", ignore_errors=True)
        program, *options = self._command
        command = [program, "reconstruct", str(path / "source"), "--out", str(path / "out"), "--resume"]
        with (path / "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[descriptor],
                start_new_session=True,
            )
        (path / "pid").write_text(str(process.pid))
        waiting = self._waiting(job)
        while process.poll() is None:
            if not waiting():
                process.terminate()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        return process.returncode

    def _fail(self, job: Job, path: Path, code: int) -> None:
        """What the command told its user ends the job; one that crashed is run again."""
        lines = (path / "log").read_text(errors="replace").splitlines()
        told = [line for line in lines if line.startswith("Error: ")]
        job.crashes += 1
        if told:
            self._queue.end(job, told[-1].removeprefix("Error: "))
        elif job.crashes >= _MOST_CRASHES:
            ended = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            self._queue.end(job, f"the command ended {ended}, {job.crashes} times; see {path / 'log'}")
        else:
            self._queue.save(job)


def progress(job: Job, path: Path) -> int:
    """Per cent of a job's batches that are on disk."""
    if job.state != "Running":
        return 100 if job.state == "Success" else 0
    partial = path / "out.partial"
    try:
        options = json.loads((partial / "job.json").read_text())
    except (OSError, ValueError):
        return 0
    batches = -(-len(job.instances) // options["batch"]) * len(options["methods"])
    done = sum(1 for file in (partial / "batches").iterdir() if not file.name.endswith(".tmp.npz"))
    # The last per cent is for storing the result.
    return min(99, 100 * done // batches)


@contextmanager
def _locked(path: Path, waiting: Callable[[], bool]) -> Iterator[int | None]:
    """A descriptor that holds the lock, once a command that an earlier PACS started has ended.

    None where that is not waited for any longer.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        held, waits = False, True
        while not held and waits:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
            except BlockingIOError:
                waits = waiting()
        yield descriptor if held else None
    finally:
        os.close(descriptor)
