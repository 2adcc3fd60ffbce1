"""What the shipped weights promise, on the shipped study."""

from __future__ import annotations

import json
from statistics import fmean

import pytest
import torch

from resample_ct.bundles.bundle import read_bundle
from resample_ct.bundles.fbp_unet import read_fbp_unet
from resample_ct.bundles.refiner import read_refiner
from resample_ct.io.read import read_study
from resample_ct.metrics import psnr
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.noise import GaussianNoise
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.cascade import Cascade
from resample_ct.reconstruct.classical import TV
from resample_ct.reconstruct.fbp_unet import FBPUNet
from resample_ct.reconstruct.resample_settings import settings_from
from resample_ct.run import pipeline
from resample_ct.run.job import Job
from resample_ct.run.simulate import noisy_projection
from resample_ct.values.network_grid import network_slices


@pytest.mark.slow
def test_resample_is_above_fbp_by_7_db_above_tv_and_fbp_unet_by_2(sample_series, tmp_path):
    job = Job(
        sample_series,
        tmp_path / "out",
        methods=("fbp", "tv", "fbp-unet", "resample"),
        slices="5,12,20",
        preset="fast",
        settings=settings_from("fast"),
    )
    pipeline.reconstruct(job, resume=False)
    records = json.loads((job.out / "metrics.json").read_text())
    means = {m: fmean(r["psnr"] for r in records if r["method"] == m) for m in job.methods}
    assert means["resample"] - means["fbp"] >= 7.0
    assert means["resample"] - means["tv"] >= 2.0
    assert means["resample"] - means["fbp-unet"] >= 2.0
    assert means["fbp-unet"] - means["fbp"] >= 5.0


@pytest.mark.slow
def test_autoencoders_ceiling_is_38_db(sample_series):
    prior = read_bundle()
    truth = network_slices(read_study(sample_series).volume, prior.window)[0]
    with torch.no_grad():
        through = torch.cat([prior.decode(prior.encode(part)) for part in truth.split(4)])
    assert float(psnr(through.clamp(0, 1), truth).mean()) >= 38.0


@pytest.mark.slow
@pytest.mark.parametrize(("n_angles", "sigma"), [(18, 0.01), (50, 0.01), (25, 0.1)])
def test_cascade_is_above_tv_for_views_and_noise_that_it_was_not_trained_for(
    sample_series, n_angles, sigma
):
    network = read_fbp_unet()
    truth, _ = network_slices(read_study(sample_series).select([12]).volume, network.window)
    projector = make_projector(ParallelBeam.uniform(256, n_angles))
    sinogram, _ = noisy_projection(projector, truth, GaussianNoise(sigma), 0, 0)
    measurement = Measurement(projector, sinogram, torch.full((1,), sigma**2))
    assert not FBPUNet(network).fits(measurement)
    cascade, tv = (
        float(psnr(method(measurement, []).x.clamp(0, 1), truth))
        for method in (Cascade(network, read_refiner()), TV())
    )
    assert cascade - tv >= 1.0
