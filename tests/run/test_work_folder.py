"""Work in progress: whose it is, what may go on in it, and what a full disk leaves."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from resample_ct.errors import OptionError
from resample_ct.run import work_folder as module
from resample_ct.run.work_folder import held, refuse_out, work_folder

RECORD = {"seed": 0}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "deep" / "out"


def interrupted(out, record=RECORD, resume=False):
    with pytest.raises(KeyboardInterrupt), work_folder(out, record, resume) as partial:
        (partial / "batches" / "one").write_text("done")
        raise KeyboardInterrupt
    return partial


def test_result_is_alone_in_the_end(out):
    with work_folder(out, RECORD, resume=False) as partial:
        (partial / "results").mkdir()
        os.replace(partial / "results", out)
    assert list(out.parent.iterdir()) == [out]


def test_interrupted_work_is_continued_by_the_same_command_alone(out):
    partial = interrupted(out)
    with pytest.raises(OptionError, match=r"out\.partial: left by an interrupted run; give --resume"):
        interrupted(out)
    with pytest.raises(OptionError, match=r"job\.json: was written with other options"):
        interrupted(out, {"seed": 1}, resume=True)
    with work_folder(out, RECORD, resume=True) as again:
        assert again == partial and (again / "batches" / "one").read_text() == "done"


def test_damaged_record_is_not_continued(out):
    (interrupted(out) / "job.json").write_text("{")
    with pytest.raises(OptionError, match="was written with other options"):
        interrupted(out, resume=True)


def test_folder_of_somebody_else_is_not_taken(out):
    (out.parent / "out.partial").mkdir(parents=True)
    (out.parent / "out.partial" / "notes.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(OptionError, match=r"out\.partial"):
            interrupted(out, resume=resume)
    assert (out.parent / "out.partial" / "notes.txt").read_text() == "mine"


_HOLD = """
import sys
from pathlib import Path
from resample_ct.run.work_folder import work_folder
with work_folder(Path(sys.argv[1]), {"seed": 0}, resume=False):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_told_of_the_first_and_takes_over_when_that_was_killed(out):
    command = [sys.executable, "-c", _HOLD, str(out)]
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "held\n"
    for resume in (False, True):
        with pytest.raises(OptionError, match=r"out\.partial: another run is at work in it"):
            interrupted(out, resume=resume)
    first.kill()
    first.communicate()
    interrupted(out, resume=True)


def test_a_run_that_ended_meanwhile_is_not_overwritten(out):
    interrupted(out)
    out.mkdir()
    with pytest.raises(OptionError, match="exists"), work_folder(out, RECORD, resume=True):
        pass


def test_lock_is_given_back(tmp_path):
    for _ in range(2):
        with held(tmp_path), pytest.raises(OptionError, match=r"--out .*another run"), held(tmp_path):
            pass


FULL = {
    "the system says so": OSError(errno.ENOSPC, "No space left on device", "out.partial/x.npz"),
    "a quota": OSError(errno.EDQUOT, "Disk quota exceeded"),
}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
def test_full_disk_leaves_what_the_advice_says(out, error):
    with pytest.raises(OptionError) as caught, work_folder(out, RECORD, resume=False) as partial:
        (partial / "batches" / "one").write_text("done")
        raise error
    assert f"expected room on its disk; {partial} keeps what is finished" in str(caught.value)
    assert "give the same command with --resume" in str(caught.value)
    with work_folder(out, RECORD, resume=True) as again:
        assert (again / "batches" / "one").exists()


def test_library_that_only_says_that_writing_failed_is_checked_against_the_disk(out, monkeypatch):
    def fail():
        with work_folder(out, RECORD, resume=True):
            raise RuntimeError("write failed\nin line 3")

    with pytest.raises(RuntimeError):
        fail()
    usage = type("Usage", (), {"free": 0})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OptionError, match=r"cannot be written \(write failed\), expected room"):
        fail()


def test_disk_that_is_full_from_the_start_lets_the_same_command_begin_anew(out, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "replace", full)
        with pytest.raises(OptionError, match="expected room"):
            interrupted(out)
    interrupted(out)


def test_output_that_exists_is_refused(tmp_path):
    with pytest.raises(OptionError, match="exists, expected a new path"):
        refuse_out(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OptionError, match="exists"):
        refuse_out(tmp_path / "link")


def test_folder_that_cannot_be_written_in_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"nothing can be written in .*file .*expected a folder"):
        refuse_out(tmp_path / "file" / "deep" / "out")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no such permissions")
def test_read_only_parent_is_refused(tmp_path, monkeypatch):
    """Root may write everywhere, so it becomes somebody else for the question."""
    is_root = os.geteuid() == 0
    tmp_path.chmod(0o555)
    monkeypatch.chdir(tmp_path)  # a way in that does not lead through folders of root alone
    try:
        if is_root:
            os.seteuid(65534)
        with pytest.raises(OptionError, match="Permission denied"):
            refuse_out(Path("out"))
    finally:
        if is_root:
            os.seteuid(0)
        tmp_path.chmod(0o755)
    refuse_out(Path("out"))
    assert list(tmp_path.iterdir()) == []
