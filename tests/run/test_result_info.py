"""What `resample-ct info` says of our own results."""

from __future__ import annotations

import json

import pytest

from resample_ct.errors import StudyError
from resample_ct.run.info import describe
from resample_ct.run.job import Job
from resample_ct.run.pipeline import reconstruct


@pytest.fixture(scope="module")
def out(sample_series, tmp_path_factory):
    out = tmp_path_factory.mktemp("result") / "out"
    reconstruct(Job(sample_series, out, methods=("fbp",), slices="3:5"))
    return out


@pytest.mark.parametrize("name", ["", "run.json", "metrics.json", "montage.png"])
def test_reconstruction_is_described_by_its_folder_and_by_its_files(out, name):
    said = describe(out / name)
    assert (said["kind"], said["slices"], said["views"]) == ("reconstruction", "2", "25")
    records = json.loads((out / "metrics.json").read_text())
    assert float(said["PSNR of fbp (dB)"]) == pytest.approx(sum(r["psnr"] for r in records) / 2, abs=0.01)
    assert said["for"] == "research only"


def test_series_in_a_result_is_a_study_as_any_other(out):
    assert describe(out / "dicom" / "fbp")["kind"] == "study"


def test_comparison_is_described(tmp_path):
    records = [
        {"method": "tv", "psnr": 30.0},
        {"method": "tv", "psnr": 32.0},
        {"method": "fbp", "psnr": 20.0},
    ]
    results = {"conditions": [{"slices": [1, 2]}], "records": records}
    (tmp_path / "results.json").write_text(json.dumps(results))
    (tmp_path / "report.html").write_text("")
    for path in (tmp_path, tmp_path / "report.html"):
        said = describe(path)
        assert (said["kind"], said["methods"], said["slices"]) == ("comparison", "tv, fbp", "2")
        assert (said["PSNR of tv (dB)"], said["PSNR of fbp (dB)"]) == ("31.00", "20.00")


def test_restoration_is_described(tmp_path):
    run = {"job": {"task": "inpainting"}, "versions": {"resample-ct": "0.1.0"}}
    (tmp_path / "run.json").write_text(json.dumps(run))
    (tmp_path / "metrics.json").write_text(json.dumps([{"psnr": 25.0}]))
    said = describe(tmp_path)
    assert (said["kind"], said["task"], said["PSNR of ReSample (dB)"]) == (
        "restoration",
        "inpainting",
        "25.00",
    )


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"job": {"methods": 3}}'])
def test_damaged_record_is_named(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    (tmp_path / "metrics.json").write_text("[]")
    with pytest.raises(StudyError, match=r"run\.json: cannot be understood .*copy the result again"):
        describe(tmp_path)
