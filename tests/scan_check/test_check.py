"""Planted faults are found, and none where none is; `benchmarks/scan_faults.py` has 200 scans."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from disc_scans import discs_sinogram
from scan_faults import faults, scan_of, simulated, verdict

from resample_ct.errors import SinogramError
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.scan_check.check import centred, check_scan, with_noise
from resample_ct.solvers.fbp import fbp

# Parallel and a fan with a curved detector.
SCANS = range(2)


@pytest.fixture(scope="module")
def scans():
    return [simulated(index) for index in SCANS]


def test_nothing_is_found_where_nothing_is_wrong(scans):
    for _, data, geometry, _ in scans:
        assert verdict(np.array(geometry.angles), data, geometry) == []


def test_every_planted_fault_is_found_in_every_scan(scans):
    for rng, data, geometry, photons in scans:
        for name, *planted in faults(rng, data, geometry, photons):
            assert verdict(*planted), name


@pytest.mark.parametrize(
    "name, told",
    [
        (
            "axis off by 0.5 detector pixel",
            r"rotation axis: .* 0\.(4|5)\d from where the file has it .*--centre",
        ),
        ("dead pixel", r"detector pixels: 1 of .* are bad: \d+ \((dead|stuck)"),
        ("hot pixel", r"detector pixels: 1 of .* are bad: \d+ \((hot|stuck)"),
        ("repeated view", r"views: view \d+ repeats view \d+"),
        ("missing view", r"views: 1 missing after .* degrees"),
        (
            "air at 3 % of the attenuation",
            r"air: at (2.9|3.0|3.1)% of the scan's attenuation beside the object",
        ),
    ],
)
def test_a_fault_is_told_with_its_size_and_what_to_do(scans, name, told):
    rng, data, geometry, photons = scans[0]
    planted = {fault: rest for fault, *rest in faults(rng, data, geometry, photons)}
    assert any(re.search(told, line) for line in verdict(*planted[name]))


@pytest.mark.parametrize("kind", ["parallel", "fan"])
def test_after_centre_auto_half_a_pixel_of_offset_costs_less_than_a_fifth_of_a_decibel(kind):
    rng = np.random.default_rng(3)
    discs = [
        (5.0, -8.0, 40.0, 0.3),
        (20.0, 10.0, 10.0, 0.3),
        (-15.0, -5.0, 6.0, -0.2),
        (0, 25.0, 3.0, 0.5),
    ]
    right = ParallelBeam.uniform(128, 60)
    if kind == "fan":
        right = FanBeam.uniform(128, 90, source_origin=400, source_detector=700)
    data = discs_sinogram(discs, right) + 0.02 * rng.standard_normal(right.sinogram_shape)
    wrong = replace(right, detector_offset=0.5)
    found = centred(scan_of(data, wrong)).geometry
    assert found.detector_offset == pytest.approx(0, abs=0.05)
    y = torch.from_numpy(data)[None, None].float()
    truth = _image(discs, 128)
    errors = {
        name: float(((fbp(g, y, "hann")[0, 0].numpy() - truth) ** 2).mean())
        for name, g in (("right", right), ("wrong", wrong), ("found", found))
    }
    assert 10 * np.log10(errors["wrong"] / errors["right"]) > 0.5
    assert 10 * np.log10(errors["found"] / errors["right"]) < 0.2


def _image(discs, size):
    place = np.arange(size) - (size - 1) / 2
    fine = np.add.outer(place, (np.arange(4) - 1.5) / 4).ravel()
    image = np.zeros((4 * size, 4 * size))
    for x, y, radius, density in discs:
        image += density * ((fine[None] - x) ** 2 + (-fine[:, None] - y) ** 2 < radius**2)
    return image.reshape(size, 4, size, 4).mean((1, 3))


def test_views_that_do_not_show_the_axis_are_told():
    rng = np.random.default_rng(0)
    wide = ParallelBeam(64, tuple(np.arange(20) * np.pi / 20), 64)
    data = discs_sinogram([(3.0, 9.0, 40.0, 0.02)], wide) + 0.01 * rng.standard_normal((20, 64))
    with pytest.raises(SinogramError, match="--centre auto: found views that do not show the axis"):
        centred(scan_of(data, wide))
    assert any("not judged" in finding.told for finding in check_scan(scan_of(data, wide)))


def test_a_stated_noise_stays_and_a_missing_one_is_estimated():
    data = 0.3 * np.random.default_rng(0).standard_normal((90, 128))
    scan = scan_of(data, ParallelBeam(64, tuple(np.arange(90) * np.pi / 90), 128))
    assert with_noise(scan).noise_sigma == pytest.approx([0.3], rel=0.05)
    stated = replace(scan, noise_sigma=np.array([0.1]))
    assert with_noise(stated) is stated


@pytest.mark.parametrize("shape", [(1, 3, 6), (2, 1, 1), (1, 4, 2), (1, 40, 16)])
def test_scans_too_small_to_judge_are_checked_without_a_word_too_many(shape):
    data = np.zeros(shape, np.float32)
    geometry = ParallelBeam(4, tuple(np.arange(shape[1]) * 0.1), shape[2])
    scan = replace(scan_of(data[0], geometry), data=data)
    assert [finding.line for finding in check_scan(scan) if finding.is_fault] == []
