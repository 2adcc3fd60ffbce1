"""The simulated scanner: its rays, and what it projects."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from resample_ct.errors import OptionError
from resample_ct.io.read import read_study
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.run.simulate import simulate
from resample_ct.run.simulated_scan import SimulatedScan
from resample_ct.values.units import Window

NOISELESS = SimulatedScan(6, "none")


def test_plain_scan_is_the_papers():
    assert SimulatedScan().rays(1.4) == ParallelBeam.uniform(256, 25)


def test_fan_has_the_scanners_distances_and_turns_whole():
    rays = SimulatedScan(10, geometry="fan-curved").rays(1.4)
    assert isinstance(rays, FanBeam) and rays.curved and rays.turns_whole
    assert rays.source_origin * 1.4 == pytest.approx(595.0)
    assert rays.source_detector * 1.4 == pytest.approx(1085.6)
    assert rays.seen_radius >= 128 * math.sqrt(2)


@pytest.mark.parametrize("geometry", ["parallel", "fan-flat"])
def test_arc_and_detectors_limit_the_scan(geometry):
    rays = SimulatedScan(10, geometry=geometry, arc=90.0, detectors=100).rays(1.4)
    np.testing.assert_allclose(rays.angles, np.radians(np.arange(10) * 9.0))
    assert rays.n_detectors == 100
    assert rays.seen_radius == pytest.approx(50, rel=0.02)


@pytest.mark.parametrize(
    "wrong, told",
    [
        ({"geometry": "cone"}, "--geometry cone: unknown, expected one of parallel, fan-flat"),
        ({"pixels": "mine"}, "--pixels mine: unknown"),
        ({"arc": 0.0}, "--arc 0: expected degrees"),
        ({"arc": 361.0}, "--arc 361: expected degrees"),
        ({"detectors": 0}, "--detectors 0: expected at least one"),
        ({"kvp": 20.0}, "--kvp 20: expected a tube voltage"),
    ],
)
def test_impossible_scan_is_refused(wrong, told):
    with pytest.raises(OptionError, match=re.escape(told)):
        SimulatedScan(**wrong)


def test_source_within_the_image_is_refused():
    with pytest.raises(OptionError, match="the source is outside of the image"):
        SimulatedScan(geometry="fan-flat").rays(4.0)


@pytest.fixture(scope="module")
def study(sample_series):
    return read_study(sorted(sample_series.glob("*.dcm"))[12])


def data(study, scan):
    return simulate(study, [0], scan, 0, Window())[0].data[0]


@pytest.mark.parametrize("geometry", ["parallel", "fan-curved"])
def test_native_pixels_measure_the_same_slice_but_not_the_same_numbers(study, geometry):
    scan = replace(NOISELESS, geometry=geometry)
    reduced, native = data(study, scan), data(study, replace(scan, pixels="native"))
    gap = np.linalg.norm(native - reduced) / np.linalg.norm(reduced)
    # The mass is the same, edges within a detector pixel are not: 0.4 % was seen.
    assert 1e-4 < gap < 0.02
    np.testing.assert_allclose(native.sum(axis=1), reduced.sum(axis=1), rtol=5e-3)


def test_truth_is_the_reduced_slice_whatever_is_projected(study):
    _, truth = simulate(study, [0], NOISELESS, 0, Window())
    _, same = simulate(study, [0], replace(NOISELESS, pixels="native"), 0, Window())
    assert torch.equal(truth, same)


def test_bone_hardens_the_beam(study):
    plain, hardened = data(study, NOISELESS), data(study, replace(NOISELESS, kvp=120.0))
    gap = hardened - plain
    # Several times the paper's noise of 0.01: 0.04 was seen.
    assert np.sqrt(np.square(gap).mean()) > 0.02
    np.testing.assert_allclose(gap[plain == 0], 0.0, atol=1e-6)
