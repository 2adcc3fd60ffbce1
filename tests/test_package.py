"""What importing the package does, and what it leaves alone; what the command does beyond that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import resample_ct

_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_ALLOCATE = """
import torch
from resample_ct.cli import main
main.callback()
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
def test_command_puts_large_blocks_in_huge_pages_unless_the_user_says_otherwise():
    assert asks_for_huge_pages()
    assert not asks_for_huge_pages(THP_MEM_ALLOC_ENABLE="0")


def in_new_process(script):
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_import_changes_no_environment_and_loads_nothing_heavy():
    in_new_process(
        "import os, sys\nbefore = dict(os.environ)\nimport resample_ct\n"
        "assert dict(os.environ) == before\n"
        "heavy = {'torch', 'monai', 'numpy', 'pydicom', 'scipy', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )


def test_import_is_quick():
    """The limit is 0.2 s; the best of five tells it from what else the machine does."""
    script = (
        "import time\nbegan = time.process_time()\nimport resample_ct\nprint(time.process_time() - began)"
    )
    assert min(float(in_new_process(script)) for _ in range(5)) < 0.2


def test_every_public_name_is_there_and_no_other():
    for name in dir(resample_ct):
        assert getattr(resample_ct, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'reconstrukt'"):
        _ = resample_ct.reconstrukt
