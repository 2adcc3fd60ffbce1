# SPDX-License-Identifier: AGPL-3.0-or-later
"""The reconstructions that a PACS asks for, kept on disk: `FOLDER/<number>/job.json`.

Only the standard library is needed, because this runs in the PACS's own Python.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

CANCELLED = "cancelled"


@dataclass(frozen=True)
class Limits:
    """What a reconstruction may take of this machine.

    Attributes:
        instances: most of one series.
        queue: most jobs that wait.
        free_bytes: space on disk that stays free.
    """

    instances: int
    queue: int
    free_bytes: int


@dataclass
class Job:
    """One reconstruction; its states are those of Orthanc's jobs.

    Attributes:
        number: counted from 1.
        series: in the PACS.
        instances: of the series when the job was asked for, then those that it was started with.
        created: seconds since the epoch; so are the next two.
        started: with the instances that it has now.
        ended: with success or failure.
        state: Pending, Running, Success or Failure.
        error: why it failed, in one line.
        crashes: of the command.
        results: the derived series.
    """

    number: int
    series: str
    instances: list[str]
    created: float
    started: float | None = None
    ended: float | None = None
    state: str = "Pending"
    error: str = ""
    crashes: int = 0
    results: list[str] = field(default_factory=list)


class Queue:
    """The jobs; methods may be called from any thread."""

    def __init__(self, folder: Path, limits: Limits, instances_of: Callable[[str], list[str]]) -> None:
        """Read what an earlier PACS left in a folder, which is made if it is not there.

        Args:
            folder: of the jobs; belongs to this queue alone.
            limits: what exceeds them is a job that fails at once.
            instances_of: what a series consists of; nothing where there is no such series.
        """
        self._folder = folder
        self._limits = limits
        self._instances_of = instances_of
        self._lock = threading.RLock()
        self._cancelled: set[int] = set()
        self.more = threading.Event()
        """Set when there may be a job to start."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = [Job(**json.loads(path.read_text())) for path in folder.glob("*/job.json")]
        self._jobs = {job.number: job for job in sorted(found, key=lambda job: job.number)}

    @property
    def jobs(self) -> list[Job]:
        """All of them, oldest first."""
        with self._lock:
            return list(self._jobs.values())

    def find(self, number: int) -> Job | None:
        """The job of a number."""
        return self._jobs.get(number)

    def ask(self, series: str, again: bool = True) -> Job:
        """A job for a series: the one that waits, or runs with just its instances, else a new one.

        What exceeds a limit is a job that has failed, so that its reason is told where jobs are shown.

        Args:
            series: in the PACS.
            again: also where a job for exactly these instances has ended before.
        """
        with self._lock:
            instances = sorted(self._instances_of(series))
            for job in self._jobs.values():
                is_same = job.state == "Running" or not again
                if (job.state, job.series) == ("Pending", series) or (
                    is_same and job.instances == instances
                ):
                    return job
            job = Job(max(self._jobs, default=0) + 1, series, instances, time.time())
            self.path(job).mkdir(mode=0o700, exist_ok=True)
            self._begin(job)
            return job

    def cancel(self, job: Job) -> None:
        """End a job that waits or runs."""
        with self._lock:
            if job.state == "Pending":
                self.end(job, CANCELLED)
            elif job.state == "Running":
                self._cancelled.add(job.number)

    def resubmit(self, job: Job) -> None:
        """Try a job that failed again, with the series as it is now."""
        with self._lock:
            if job.state == "Failure":
                job.instances = sorted(self._instances_of(job.series))
                self._begin(job)

    def _begin(self, job: Job) -> None:
        """Let a job wait, or fail where it exceeds a limit."""
        excess = self._excess(job)
        self._jobs[job.number] = job
        if excess is None:
            job.state, job.error, job.crashes, job.ended = "Pending", "", 0, None
            self.save(job)
            self.more.set()
        else:
            self.end(job, excess)

    def _excess(self, job: Job) -> str | None:
        count, waiting = len(job.instances), sum(j.state == "Pending" for j in self._jobs.values())
        if count == 0:
            return "the PACS has no such series, expected one with instances"
        if count > self._limits.instances:
            return f"the series has {count} instances, expected at most {self._limits.instances}"
        if waiting >= self._limits.queue:
            return f"{waiting} jobs are waiting, expected fewer than {self._limits.queue}; resubmit later"
        if shutil.disk_usage(self._folder).free < self._limits.free_bytes:
            return f"{self._folder}: its disk is full; free some space and resubmit the job"
        return None

    def path(self, job: Job) -> Path:
        """The folder of a job."""
        return self._folder / str(job.number)

    def is_cancelled(self, job: Job) -> bool:
        """Whether a running job is to be ended."""
        return job.number in self._cancelled

    def save(self, job: Job) -> None:
        """Write a job through to the disk; the file is whole at every moment."""
        path = self.path(job) / "job.json"
        temporary = path.with_suffix(".tmp")
        with temporary.open("w") as file:
            json.dump(asdict(job), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    def end(self, job: Job, error: str = "") -> None:
        """A job has succeeded, or failed with a reason; its files are not needed any longer."""
        with self._lock:
            job.state, job.error, job.ended = "Failure" if error else "Success", error, time.time()
            self._cancelled.discard(job.number)
            self.save(job)
        for left in ("source", "source.partial", "out", "out.partial"):
            shutil.rmtree(self.path(job) / left, ignore_errors=True)

    def next(self) -> Job | None:
        """The next job; one that was cut off comes first."""
        with self._lock:
            self.more.clear()
            for state in ("Running", "Pending"):
                for job in self._jobs.values():
                    if job.state == state:
                        if state == "Pending":
                            job.instances = sorted(self._instances_of(job.series))
                            job.state, job.started = "Running", time.time()
                        self.save(job)
                        return job
        return None
