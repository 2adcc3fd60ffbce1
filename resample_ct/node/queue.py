"""The queue on disk: what was received, what is to be done, what was sent.

One SQLite file, written through at every commit, so that a success that was answered, and an
instance that was sent, are known after any crash. A job's states:

    received -> queued -> running -> reconstructed -> sending -> sent
                              |                          |
                              +-------> failed <---------+

`received` collects a series' instances; when it has been quiet it is `queued`. When it starts
`running`, its set of instances is fixed: one that comes later opens a new job with the larger set.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from resample_ct.node.records import SCHEMA, JobRow, QueuedJob


class Queue:
    """All access to the file; its methods may be called from any thread."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        target = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            target, uri=True, check_same_thread=False, isolation_level=None, timeout=30
        )
        if not read_only:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, also on a crash."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _jobs(self, condition: str, *values: object) -> list[QueuedJob]:
        with self._lock:
            rows = self._connection.execute(
                "SELECT id, series_uid, state, attempts, error, not_before, changed FROM job "
                f"WHERE {condition}",
                values,
            ).fetchall()
        return [QueuedJob(*row) for row in rows]

    # Receiving

    def holds(self, sop_uid: str, digest: str) -> bool:
        """Whether this very instance is kept already."""
        with self._lock:
            row = self._connection.execute(
                "SELECT 1 FROM instance WHERE sop_uid = ? AND digest = ?", (sop_uid, digest)
            ).fetchone()
        return row is not None

    def count(self, series_uid: str) -> int:
        """Number of instances kept of a series."""
        with self._lock:
            row = self._connection.execute(
                "SELECT COUNT(*) FROM instance WHERE series_uid = ?", (series_uid,)
            ).fetchone()
        return int(row[0])

    def repeated(self, series_uid: str) -> None:
        """An instance came again: a series still open goes on waiting, a failed one is tried again."""
        now = time.time()
        with self._transaction() as connection:
            if not self._touch(series_uid, now):
                last = self._jobs("series_uid = ? ORDER BY id DESC LIMIT 1", series_uid)
                if last and last[0].state == "failed":
                    self._open(connection, series_uid, now)

    def add(self, sop_uid: str, series_uid: str, path: Path, digest: str) -> None:
        """An instance is kept: it joins the series' open job, or opens one."""
        now = time.time()
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO instance (sop_uid, series_uid, path, digest) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (sop_uid) DO UPDATE SET series_uid = excluded.series_uid, "
                "path = excluded.path, digest = excluded.digest",
                (sop_uid, series_uid, str(path), digest),
            )
            if not self._touch(series_uid, now):
                self._open(connection, series_uid, now)

    def _touch(self, series_uid: str, now: float) -> bool:
        cursor = self._connection.execute(
            "UPDATE job SET state = 'received', changed = ? "
            "WHERE series_uid = ? AND state IN ('received', 'queued')",
            (now, series_uid),
        )
        return cursor.rowcount > 0

    @staticmethod
    def _open(connection: sqlite3.Connection, series_uid: str, now: float) -> None:
        connection.execute(
            "INSERT INTO job (series_uid, state, changed) VALUES (?, 'received', ?)", (series_uid, now)
        )

    def restart(self) -> set[Path]:
        """Give senders that a crash cut off another quiet time. Returns the files that are known."""
        with self._transaction() as connection:
            connection.execute("UPDATE job SET changed = ? WHERE state = 'received'", (time.time(),))
            rows = connection.execute("SELECT path FROM instance").fetchall()
        return {Path(path) for (path,) in rows}

    def queue_quiet(self, quiet_seconds: float) -> list[QueuedJob]:
        """Queue the series that have been quiet for so long, and return their jobs."""
        now = time.time()
        with self._transaction() as connection:
            found = self._jobs("state = 'received' AND changed <= ?", now - quiet_seconds)
            for job in found:
                connection.execute(
                    "UPDATE job SET state = 'queued', changed = ? WHERE id = ?", (now, job.number)
                )
        return found

    # Reconstructing

    def start_next(self) -> QueuedJob | None:
        """The next job to run, its set of instances fixed; one that a crash cut off comes first."""
        now = time.time()
        with self._transaction() as connection:
            found = self._jobs(
                "state IN ('running', 'queued') AND not_before <= ? "
                "ORDER BY state = 'running' DESC, id LIMIT 1",
                now,
            )
            if found and found[0].state == "queued":
                job = found[0]
                connection.execute(
                    "INSERT INTO source SELECT ?, sop_uid, path FROM instance WHERE series_uid = ?",
                    (job.number, job.series_uid),
                )
                connection.execute(
                    "UPDATE job SET state = 'running', changed = ? WHERE id = ?", (now, job.number)
                )
        return found[0] if found else None

    def sources(self, number: int) -> list[tuple[str, Path]]:
        """SOPInstanceUID and file of each instance that a job is about."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT sop_uid, path FROM source WHERE job = ?", (number,)
            ).fetchall()
        return [(uid, Path(path)) for uid, path in rows]

    def reconstructed(self, number: int, results: Sequence[tuple[str, Path]]) -> None:
        """A result is whole; from here on its SOPInstanceUIDs are what is sent, however often."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO result (sop_uid, job, path) VALUES (?, ?, ?)",
                [(uid, number, str(path)) for uid, path in results],
            )
            self._set(connection, number, "reconstructed", "", 0, 0.0)

    # Sending

    def next_to_send(self) -> QueuedJob | None:
        """The next job whose result is to be sent."""
        found = self._jobs(
            "state IN ('reconstructed', 'sending') AND not_before <= ? ORDER BY id LIMIT 1", time.time()
        )
        return found[0] if found else None

    def unsent(self, number: int) -> list[tuple[str, Path]]:
        """SOPInstanceUID and file of each result that the destination has not confirmed."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT sop_uid, path FROM result WHERE job = ? AND sent IS NULL ORDER BY path",
                (number,),
            ).fetchall()
        return [(uid, Path(path)) for uid, path in rows]

    def is_result(self, sop_uid: str) -> bool:
        """Whether an instance was made here."""
        with self._lock:
            row = self._connection.execute(
                "SELECT 1 FROM result WHERE sop_uid = ?", (sop_uid,)
            ).fetchone()
        return row is not None

    def sending(self, number: int) -> None:
        """An attempt to send begins."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE job SET state = 'sending', changed = ? WHERE id = ?", (time.time(), number)
            )

    def confirmed(self, sop_uid: str) -> None:
        """The destination has an instance."""
        with self._transaction() as connection:
            connection.execute("UPDATE result SET sent = ? WHERE sop_uid = ?", (time.time(), sop_uid))

    def sent(self, number: int, note: str = "") -> None:
        """The destination has every instance, but for what the note says that it does not take."""
        with self._transaction() as connection:
            self._set(connection, number, "sent", note, 0, 0.0)

    # Failing

    def retry(self, job: QueuedJob, error: str, wait_seconds: float) -> None:
        """An attempt failed; the job stays in its state and is tried again later."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE job SET attempts = attempts + 1, error = ?, not_before = ?, changed = ? "
                "WHERE id = ?",
                (error, time.time() + wait_seconds, time.time(), job.number),
            )

    def failed(self, job: QueuedJob, error: str) -> None:
        """A job ended without a result, or with one that the destination refuses."""
        with self._transaction() as connection:
            self._set(connection, job.number, "failed", error, job.attempts + 1, 0.0)

    @staticmethod
    def _set(
        connection: sqlite3.Connection,
        number: int,
        state: str,
        error: str,
        attempts: int,
        not_before: float,
    ) -> None:
        connection.execute(
            "UPDATE job SET state = ?, error = ?, attempts = ?, not_before = ?, changed = ? WHERE id = ?",
            (state, error, attempts, not_before, time.time(), number),
        )

    # Looking and tidying

    def rows(self) -> list[JobRow]:
        """Every job, oldest first."""
        with self._lock:
            found = self._connection.execute(
                "SELECT id, series_uid, state, attempts, error, not_before, changed, "
                "CASE WHEN state IN ('received', 'queued') "
                "THEN (SELECT COUNT(*) FROM instance WHERE instance.series_uid = job.series_uid) "
                "ELSE (SELECT COUNT(*) FROM source WHERE source.job = job.id) END, "
                "(SELECT COUNT(*) FROM result WHERE result.job = job.id), "
                "(SELECT COUNT(*) FROM result WHERE result.job = job.id AND sent IS NOT NULL) "
                "FROM job ORDER BY id"
            ).fetchall()
        return [JobRow(QueuedJob(*row[:7]), *row[7:]) for row in found]

    def forget(self, before: float) -> tuple[list[int], list[Path]]:
        """Forget the files of series whose every job ended before a moment.

        Jobs and the UIDs of results stay known.

        Returns:
            The jobs whose folders, and the instances whose files, can be deleted.
        """
        ended = (
            "series_uid IN (SELECT series_uid FROM job GROUP BY series_uid "
            "HAVING MIN(state IN ('sent', 'failed')) = 1 AND MAX(changed) < ?)"
        )
        with self._transaction() as connection:
            jobs = [job.number for job in self._jobs(ended, before)]
            files = connection.execute(f"SELECT path FROM instance WHERE {ended}", (before,)).fetchall()
            connection.execute(f"DELETE FROM instance WHERE {ended}", (before,))
        return jobs, [Path(path) for (path,) in files]
