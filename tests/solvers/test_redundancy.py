"""What each ray counts: a line counts once, however often it is measured."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.solvers.redundancy import ray_weights

VIEWS, HALF = 144, 15  # 2.5 degrees apart, and 31 rays 1.25 degrees apart


def fan(views, **changes):
    """A curved detector whose rays repeat each other exactly: the fan's step is half of the views'."""
    step = 2 * np.pi / VIEWS
    rays = FanBeam(
        32,
        tuple(np.arange(views) * step),
        2 * HALF + 1,
        200 * step / 2,
        source_origin=100.0,
        source_detector=200.0,
        curved=True,
    )
    return replace(rays, **changes)


def line_sums(rays: FanBeam) -> np.ndarray:
    """(angle, detector) the weight of each ray and of the ray that repeats it, in arcs of a view."""
    step = 2 * np.pi / VIEWS
    weights = ray_weights(rays) / step
    first = round(rays.detector_places[0] / rays.detector_spacing)
    sums = weights.copy()
    for view in range(rays.n_angles):
        for ray in range(rays.n_detectors):
            repeating = (view + VIEWS // 2 - (first + ray)) % VIEWS
            opposite = -first - (first + ray)
            if repeating < rays.n_angles and 0 <= opposite < rays.n_detectors:
                sums[view, ray] += weights[repeating, opposite]
    return sums


@given(st.integers(2, VIEWS), st.integers(-14, 14))
def test_every_line_of_a_fan_counts_once(views, offset):
    np.testing.assert_allclose(line_sums(fan(views, detector_offset=float(offset))), 1.0, atol=1e-9)


def test_rays_of_a_whole_turn_count_half():
    np.testing.assert_allclose(ray_weights(fan(VIEWS)), np.pi / VIEWS)


def test_weights_of_a_short_scan_rise_from_its_ends():
    weights = ray_weights(fan(VIEWS * 3 // 4))[:, HALF]
    assert weights[0] < 0.01 * weights.max()
    assert (np.diff(weights[:20]) > 0).all()
    np.testing.assert_allclose(weights, weights[::-1])


@pytest.mark.parametrize("arc", [math.pi / 2, math.pi, 2 * math.pi])
def test_parallel_rays_share_at_most_half_a_turn(arc):
    weights = ray_weights(ParallelBeam.uniform(16, 48, arc))
    np.testing.assert_allclose(weights.sum(axis=0), min(arc, math.pi))


def test_parallel_lines_of_a_whole_turn_count_once_beside_the_middle_too():
    rays = ParallelBeam(16, tuple(np.arange(48) * 2 * np.pi / 48), 21, detector_offset=6.0)
    weights = ray_weights(rays) / (np.pi / 48)
    # Places -4 to 16: those to 4 are measured from either side.
    np.testing.assert_allclose(weights[0, :9] + weights[24, 8::-1], 2.0)
    np.testing.assert_allclose(weights[:, 9:], 2.0)
