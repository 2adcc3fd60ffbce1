"""`kill_at.py POINT COUNT ARGUMENTS`: the command line, ended by SIGKILL the COUNT-th time at POINT."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from resample_ct.cli import main
from resample_ct.node import sender
from resample_ct.node.folder import StateFolder
from resample_ct.node.queue import Queue

POINTS = {
    "before an instance is in the queue": (Queue, "add", "before"),
    "after an instance is in the queue": (Queue, "add", "after"),
    "while a file moves to its place": (StateFolder, "keep", "before"),
    "after a series was queued": (Queue, "queue_quiet", "after"),
    "after a job was started": (Queue, "start_next", "after"),
    "while the reconstruction runs": (subprocess, "Popen", "after"),
    "after the reconstruction": (Queue, "reconstructed", "before"),
    "after the result is in the queue": (Queue, "reconstructed", "after"),
    "before an instance is sent": (sender, "_send", "before"),
    "between the PACS's answer and its record": (sender, "_send", "after"),
    "after an instance was recorded": (Queue, "confirmed", "after"),
    "before the job is done": (Queue, "sent", "before"),
}


def arm(point: str, count: int) -> None:
    owner, name, when = POINTS[point]
    original = getattr(owner, name)
    left = count

    def wrapper(*arguments, **options):
        nonlocal left
        if when == "before" and left == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **options)
        # Polls that found nothing are not the event.
        if (result is None and name == "start_next") or result == []:
            return result
        left -= 1
        if when == "after" and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, wrapper)


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    main(sys.argv[3:])
