"""The highest memory that this process took, as far as its system tells it."""

from __future__ import annotations

import re
from pathlib import Path

import psutil

_RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def forget_peak() -> None:
    """Start anew. Where that cannot be done (not on Linux), the peak stays that of the whole run."""
    try:
        # 5 resets the peak resident set size and nothing else (proc(5)).
        _RESET.write_text("5")
    except OSError:
        return


def peak_mb() -> int:
    """Peak resident memory in MB since `forget_peak`; what is held now where no peak is told (macOS)."""
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return round(int(found[1]) / 1024)
    held = psutil.Process().memory_info()
    return round(getattr(held, "peak_wset", held.rss) / 2**20)
