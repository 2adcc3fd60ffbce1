"""What the shipped prior promises, on the shipped study."""

from __future__ import annotations

import json
from statistics import fmean

import pytest

from resample_ct import pipeline
from resample_ct.job import Job
from resample_ct.reconstruct.resample_settings import settings_from


@pytest.mark.slow
def test_resample_is_above_fbp_by_7_db_and_above_tv(sample_series, tmp_path):
    job = Job(
        sample_series,
        tmp_path / "out",
        slices="5,12,20",
        preset="fast",
        settings=settings_from("fast"),
    )
    pipeline.reconstruct(job, resume=False)
    records = json.loads((job.out / "metrics.json").read_text())
    psnr = {m: fmean(r["psnr"] for r in records if r["method"] == m) for m in job.methods}
    assert psnr["resample"] - psnr["fbp"] >= 7.0
    assert psnr["resample"] - psnr["tv"] >= 0.5
