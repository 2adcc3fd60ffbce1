"""CONTRIBUTING.md's worked example, word for word: a new method is a file and a line."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from resample_ct.reconstruct import methods

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
FILE, LINE, TEST = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def with_landweber(tmp_path, monkeypatch):
    """The package with the example's file and line in their places."""
    path = tmp_path / "landweber.py"
    path.write_text(FILE)
    name = "resample_ct.reconstruct.landweber"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    method = eval(LINE, {"Method": methods.Method})
    monkeypatch.setitem(methods.METHODS, method.name, method)


def test_file_and_line_are_all_that_a_method_takes(with_landweber):
    names = {}
    exec(TEST, names)
    names["test_more_iterations_fit_better"]()


def test_example_is_short():
    assert len([line for line in FILE.splitlines() if line.strip()]) <= 30


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([a-z_]+/[a-z_/]*\.py)`", TEXT))))
def test_every_file_that_is_named_exists(path):
    root = Path(__file__).parents[1]
    made = ("resample_ct/reconstruct/landweber.py", "tests/reconstruct/test_landweber.py")
    assert path in made or any((folder / path).is_file() for folder in (root, root / "resample_ct"))
