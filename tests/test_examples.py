"""The examples and the README's section run as they are written."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import resample_ct as rct

ROOT = Path(__file__).parents[1]


def main_of(name):
    return runpy.run_path(str(ROOT / "examples" / f"{name}.py"))["main"]


def test_numpy_slice(capsys):
    main_of("numpy_slice")(size=32, views=12, methods=("fbp", "tv"))
    errors = {line.split(":")[0]: float(line.split()[3]) for line in capsys.readouterr().out.splitlines()}
    assert errors["tv"] < errors["fbp"]


def test_dicom_study(tmp_path, capsys):
    main_of("dicom_study")(out=tmp_path / "derived", method="fbp", size=64)
    assert len(rct.read_study(tmp_path / "derived")) == 2
    assert "research only" in capsys.readouterr().out


def test_own_sinogram_finds_water():
    hu = main_of("own_sinogram")(size=64, views=24)
    assert abs(hu[32, 32]) < 30 and hu[0, 0] == pytest.approx(-1000, abs=30)


def test_own_operator():
    assert main_of("own_operator")(size=24) < 150


def test_readmes_section_is_six_lines_that_run(tmp_path, monkeypatch, sample_series):
    text = (ROOT / "README.md").read_text()
    section = text.partition("## In Python")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) == 6
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(tmp_path)
    # The paper's method takes half a minute: TV tells the same of the lines.
    quick = code.replace('"resample", preset="fast"', '"tv"')
    assert quick != code
    names: dict[str, object] = {}
    exec(compile(quick, "README.md", "exec"), names)
    assert isinstance(names["result"], rct.Result) and np.isfinite(names["result"].hu).all()
    assert len(rct.read_study(tmp_path / "derived")) == 1
