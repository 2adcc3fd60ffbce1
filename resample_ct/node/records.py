"""The queue's tables, and its rows as values."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = """
CREATE TABLE IF NOT EXISTS instance (
    sop_uid TEXT PRIMARY KEY, series_uid TEXT NOT NULL, path TEXT NOT NULL, digest TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS instance_of_series ON instance (series_uid);
CREATE TABLE IF NOT EXISTS job (
    id INTEGER PRIMARY KEY AUTOINCREMENT, series_uid TEXT NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',
    not_before REAL NOT NULL DEFAULT 0, changed REAL NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS one_open ON job (series_uid) WHERE state IN ('received', 'queued');
CREATE TABLE IF NOT EXISTS source (
    job INTEGER NOT NULL, sop_uid TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (job, sop_uid)
);
CREATE TABLE IF NOT EXISTS result (
    sop_uid TEXT PRIMARY KEY, job INTEGER NOT NULL, path TEXT NOT NULL, sent REAL
);
CREATE INDEX IF NOT EXISTS result_of_job ON result (job);
"""


@dataclass(frozen=True)
class QueuedJob:
    """A job as the queue has it; `attempts` are those that failed in its present state."""

    number: int
    series_uid: str
    state: str
    attempts: int
    error: str
    not_before: float
    changed: float


@dataclass(frozen=True)
class JobRow:
    """A line of the status table."""

    job: QueuedJob
    instances: int
    results: int
    sent: int
