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
place = block.data_ptr() + 2**25
for line in Path("/proc/self/smaps").read_text().splitlines():
    first = line.split()[0]
    if "-" in first:
        begin, end = (int(part, 16) for part in first.split("-"))
    elif first == "VmFlags:" and begin <= place < end:
        print("hg" in line.split())
"""


def asks_for_huge_pages(**environment):
    """Whether the kernel was advised to; whether it has any free is the machine's affair."""
    result = subprocess.run(
        [sys.executable, "-c", _ALLOCATE],
        env={k: v for k, v in os.environ.items() if k != "THP_MEM_ALLOC_ENABLE"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return {"True": True, "False": False}[result.stdout.strip()]


@pytest.mark.skipif(not _SETTING.exists(), reason="this kernel has no such pages")
def test_large_blocks_are_in_huge_pages_unless_the_user_says_otherwise():
    assert asks_for_huge_pages()
    assert not asks_for_huge_pages(THP_MEM_ALLOC_ENABLE="0")
