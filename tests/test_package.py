"""What importing the package does, and what it leaves alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_ALLOCATE = """
import torch, resample_ct
from pathlib import Path
block = torch.ones(2**24)
lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
(line,) = [line for line in lines if line.startswith("AnonHuge")]
print(line.split()[1])
"""


def kilobytes_in_huge_pages(**environment):
    result = subprocess.run(
        [sys.executable, "-c", _ALLOCATE],
        env={k: v for k, v in os.environ.items() if k != "THP_MEM_ALLOC_ENABLE"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(result.stdout)


@pytest.mark.skipif(
    not _SETTING.exists() or "[madvise]" not in _SETTING.read_text(),
    reason="the kernel gives huge pages to nobody, or to all",
)
def test_large_blocks_are_in_huge_pages_unless_the_user_says_otherwise():
    assert kilobytes_in_huge_pages() > 32_000  # of 65,536
    assert kilobytes_in_huge_pages(THP_MEM_ALLOC_ENABLE="0") < 4_000
