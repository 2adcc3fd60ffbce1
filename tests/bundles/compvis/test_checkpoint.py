"""Foreign checkpoints: tensors come in, code does not run."""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict

import pytest
import torch

from resample_ct.bundles.compvis.checkpoint import load_state_dict
from resample_ct.errors import PriorError

STATE = OrderedDict(a=torch.arange(3.0), b=torch.ones(2, dtype=torch.float16))
LIGHTNING = [
    "pytorch_lightning.callbacks.model_checkpoint",
    "lightning.pytorch.callbacks.model_checkpoint",
]


@pytest.fixture
def lightning(monkeypatch, request):
    """A ModelCheckpoint class under the name that Lightning pickled it by, while the file is written."""
    parts = request.param.split(".")
    for stop in range(1, len(parts) + 1):
        name = ".".join(parts[:stop])
        module = types.ModuleType(name)
        module.__path__ = []
        monkeypatch.setitem(sys.modules, name, module)
    kind = type("ModelCheckpoint", (), {"__module__": request.param})
    monkeypatch.setattr(module, "ModelCheckpoint", kind, raising=False)
    return kind


def assert_read(path):
    state = load_state_dict(path)
    assert list(state) == list(STATE)
    for name, value in STATE.items():
        assert state[name].dtype == value.dtype and torch.equal(state[name], value)


@pytest.mark.parametrize("lightning", LIGHTNING, indirect=True)
@pytest.mark.parametrize("zipped", [True, False])
def test_lightning_file_is_read_without_lightning(tmp_path, lightning, monkeypatch, zipped):
    content = {
        "epoch": 1,
        "global_step": 635_000,
        "pytorch-lightning_version": "1.4.2",
        "callbacks": {lightning: {"monitor": "val/loss", "best_model_score": torch.tensor(0.5)}},
        "state_dict": STATE,
    }
    torch.save(content, tmp_path / "last.ckpt", _use_new_zipfile_serialization=zipped)
    monkeypatch.undo()
    assert lightning.__module__ not in sys.modules
    assert_read(tmp_path / "last.ckpt")


class Bomb:
    """Leaves a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("zipped", [True, False])
def test_other_class_is_refused_by_name_and_not_run(tmp_path, zipped):
    content = {"state_dict": STATE, "callbacks": Bomb(tmp_path / "ran")}
    torch.save(content, tmp_path / "m.ckpt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(PriorError, match=r"m\.ckpt: holds io\.open, expected tensors"):
        load_state_dict(tmp_path / "m.ckpt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", [2, 5])
def test_plain_pickle_is_refused_and_not_run(tmp_path, protocol):
    (tmp_path / "m.ckpt").write_bytes(pickle.dumps(Bomb(tmp_path / "ran"), protocol))
    with pytest.raises(PriorError, match=r"m\.ckpt: "):
        load_state_dict(tmp_path / "m.ckpt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no PyTorch checkpoint, expected"),
        (b"hello", "is no PyTorch checkpoint, expected"),
        (b"\x80\x02", "cannot be read .* expected a whole PyTorch"),
        (b"PK\x03\x04 no zip", "cannot be read .* expected a whole PyTorch"),
    ],
)
def test_damaged_file_is_refused(tmp_path, content, told):
    (tmp_path / "m.ckpt").write_bytes(content)
    with pytest.raises(PriorError, match=rf"m\.ckpt: {told}"):
        load_state_dict(tmp_path / "m.ckpt")


def test_cut_file_is_refused(tmp_path):
    torch.save({"state_dict": STATE}, tmp_path / "m.ckpt")
    whole = (tmp_path / "m.ckpt").read_bytes()
    (tmp_path / "m.ckpt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PriorError, match=r"m\.ckpt: cannot be read"):
        load_state_dict(tmp_path / "m.ckpt")


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(PriorError, match=r"m\.ckpt: no such file"):
        load_state_dict(tmp_path / "m.ckpt")


@pytest.mark.parametrize(
    "content, found",
    [({"model": 1}, "found model"), ({}, "found nothing"), (torch.zeros(1), "found Tensor")],
)
def test_file_without_state_dict_is_refused(tmp_path, content, found):
    torch.save(content, tmp_path / "m.ckpt")
    with pytest.raises(PriorError, match=f"{found}, expected a Lightning checkpoint with a state_dict"):
        load_state_dict(tmp_path / "m.ckpt")


def test_entry_that_is_no_tensor_is_named(tmp_path):
    torch.save({"state_dict": {"a": STATE["a"], "hyper": 3}}, tmp_path / "m.ckpt")
    with pytest.raises(PriorError, match="entry 'hyper' is a int, expected a tensor"):
        load_state_dict(tmp_path / "m.ckpt")
