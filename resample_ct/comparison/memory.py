"""The highest memory that this process took since a moment, where Linux tells it."""

from __future__ import annotations

import re
import resource
from pathlib import Path

_RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def forget_peak() -> None:
    """Start anew. Where it cannot be done, the peak stays that of the whole run."""
    try:
        # 5 resets the peak resident set size and nothing else (proc(5)).
        _RESET.write_text("5")
    except OSError:
        return


def peak_mb() -> int:
    """Peak resident memory in MB since `forget_peak`."""
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        found = None
    kilobytes = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes / 1024)
