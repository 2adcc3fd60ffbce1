"""A long volume needs no more memory than a short one."""

from __future__ import annotations

import json
import subprocess
import sys

import pydicom
import pytest
from pydicom.uid import generate_uid


@pytest.fixture(scope="module")
def long_series(sample_series, tmp_path_factory):
    """200 slices of 512 x 512, made of one real slice."""
    folder = tmp_path_factory.mktemp("long")
    dataset = pydicom.dcmread(sample_series / "1-12.dcm")
    for index in range(200):
        dataset.ImagePositionPatient[2] = 2.0 * index
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.InstanceNumber = index + 1
        dataset.save_as(folder / f"{index:03d}.dcm")
    return folder


def peak_mb(series, slices, out):
    command = [sys.executable, "-c", "from resample_ct.cli import main; main()", "reconstruct"]
    options = ["--slices", slices, "--method", "fbp", "--out", str(out)]
    subprocess.run([*command, str(series), *options], check=True, capture_output=True)
    return json.loads((out / "run.json").read_text())["peak_memory_mb"]


@pytest.mark.slow
def test_200_slices_need_within_300_mb_of_what_10_do(long_series, tmp_path):
    short, long = (peak_mb(long_series, s, tmp_path / s[2:]) for s in ("0:10", "0:200"))
    assert abs(long - short) < 300
