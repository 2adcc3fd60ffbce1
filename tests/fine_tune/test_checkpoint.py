"""A training's state on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fine_tune.checkpoint import load_checkpoint, save_checkpoint
from resample_ct.errors import ResampleCTError

STATE = {"settings": {"steps": 3}, "network": {"w": torch.arange(4.0)}}


def test_state_comes_back(tmp_path):
    save_checkpoint(STATE, tmp_path / "a.pt")
    found = load_checkpoint(tmp_path / "a.pt", {"steps": 3})
    assert found is not None and torch.equal(found["network"]["w"], STATE["network"]["w"])
    assert list(tmp_path.iterdir()) == [tmp_path / "a.pt"]


def test_no_file_is_no_state(tmp_path):
    assert load_checkpoint(tmp_path / "a.pt", {}) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, which is a disk without space")
def test_full_disk_keeps_the_checkpoint_before(tmp_path):
    path = tmp_path / "a.pt"
    save_checkpoint(STATE, path)
    before = path.read_bytes()
    path.with_suffix(".partial").symlink_to("/dev/full")
    with pytest.raises(ResampleCTError, match=r"a.pt: cannot be written, .*: free some space"):
        save_checkpoint({**STATE, "more": torch.rand(100_000)}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "a.pt"
    save_checkpoint(STATE, path)
    path.write_bytes(path.read_bytes()[:200] if content is None else content)
    with pytest.raises(ResampleCTError, match=r"a.pt: cannot be read .* delete it to start again"):
        load_checkpoint(path, STATE["settings"])


def test_half_written_file_is_overwritten(tmp_path):
    (tmp_path / "a.partial").write_bytes(b"left by a kill")
    save_checkpoint(STATE, tmp_path / "a.pt")
    assert load_checkpoint(tmp_path / "a.pt", STATE["settings"]) is not None
    assert not (tmp_path / "a.partial").exists()
