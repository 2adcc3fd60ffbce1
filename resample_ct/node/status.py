"""The queue as a table, from a node that runs or one that does not."""

from __future__ import annotations

import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from resample_ct.errors import OptionError
from resample_ct.node.folder import StateFolder
from resample_ct.node.queue import Queue


def print_status(root: Path) -> None:
    """Print every job: its state, instances, what was sent, failed attempts, the last error.

    Raises OptionError for a folder without a queue.
    """
    path = StateFolder(root).queue
    if not path.exists():
        raise OptionError(f"--folder {root}: holds no queue.sqlite, expected a node's folder")
    queue = Queue(path, read_only=True)
    table = Table("job", "series", "state", "instances", "sent", "failed attempts", "since", "error")
    for row in queue.rows():
        since = datetime.datetime.fromtimestamp(row.job.changed).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(
            str(row.job.number),
            row.job.series_uid,
            row.job.state,
            str(row.instances),
            f"{row.sent} of {row.results}" if row.results else "",
            str(row.job.attempts),
            since,
            row.job.error,
        )
    queue.close()
    console = Console()
    # A table that another program reads must not be folded at 80 columns.
    Console(width=console.width if console.is_terminal else 4096).print(table)
