"""The MONAI Deploy application with the real SDK, as it is started by hand."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pydicom
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# The Python of a virtual environment with the SDK; `.ci/run` makes one.
PYTHON = "RESAMPLE_CT_MONAI_DEPLOY"


def run_app(study, out):
    python = os.environ.get(PYTHON)
    if not python:
        pytest.skip(f"needs monai-deploy-app-sdk in an environment whose Python {PYTHON} names (.ci/run)")
    app = ROOT / "integrations" / "monai_deploy" / "app.py"
    return subprocess.run(
        [python, str(app), "-i", str(study), "-o", str(out)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_a_study_comes_out_as_a_derived_series(series, tmp_path):
    study = series(1)
    source = pydicom.dcmread(study / "00.dcm")
    result = run_app(study, tmp_path / "out")
    assert result.returncode == 0, result.stderr[-2000:]
    (folder,) = (tmp_path / "out").iterdir()
    assert folder.name == source.SeriesInstanceUID
    derived = pydicom.dcmread(folder / "dicom" / "resample" / "0001.dcm")
    assert derived.StudyInstanceUID == source.StudyInstanceUID
    assert derived.PatientID == source.PatientID and "(research)" in derived.SeriesDescription


def test_a_series_that_cannot_be_reconstructed_ends_the_application(series, tmp_path):
    study = series(2, lambda dataset, index: setattr(dataset, "ImagePositionPatient", [0, 0, 0]))
    result = run_app(study, tmp_path / "out")
    assert result.returncode != 0
    assert "expected one slice a position" in result.stdout + result.stderr
    assert not list((tmp_path / "out").rglob("*.dcm"))
