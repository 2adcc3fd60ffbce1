"""The geometry as a value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import finite, geometries, parallel_beams

from resample_ct.errors import OptionError
from resample_ct.physics.geometry import ParallelBeam, detectors_for, view_arcs


@given(parallel_beams)
def test_repr_is_code(geometry):
    assert eval(repr(geometry)) == geometry


def test_angles_of_numpy_are_plain_numbers():
    geometry = ParallelBeam(8, tuple(np.linspace(0, 1, 3)), 12)
    assert eval(repr(geometry)) == geometry


def test_equal_geometries_share_a_hash():
    assert hash(ParallelBeam.uniform(8, 3)) == hash(ParallelBeam.uniform(8, 3))


def test_views_are_even_over_half_a_turn():
    geometry = ParallelBeam.uniform(256, 25)
    np.testing.assert_allclose(geometry.angles, np.arange(25) * np.pi / 25)


@pytest.mark.parametrize("size", [1, 7, 32, 256, 257])
def test_detector_sees_the_diagonal_and_is_even(size):
    count = detectors_for(size)
    assert count % 2 == 0
    assert math.sqrt(2) * size <= count < math.sqrt(2) * size + 2


@pytest.mark.parametrize(
    "change",
    [
        {"image_size": 0},
        {"image_size": -3},
        {"n_detectors": 0},
        {"angles": ()},
        {"angles": (0.0, math.nan)},
        {"angles": (math.inf,)},
        {"detector_spacing": 0.0},
        {"detector_spacing": -1.0},
        {"detector_spacing": math.inf},
        {"detector_spacing": math.nan},
        {"detector_offset": math.nan},
        {"detector_offset": 13.0},
    ],
)
def test_bad_geometry_is_refused(change):
    good = {"image_size": 8, "angles": (0.0,), "n_detectors": 12, "detector_spacing": 1.0}
    with pytest.raises(OptionError, match=r"geometry: found .* expected"):
        ParallelBeam(**good | change)


@given(geometries)
def test_every_ray_is_a_line(geometry):
    theta, s = geometry.lines()
    assert theta.shape == s.shape == geometry.sinogram_shape
    assert np.isfinite(theta).all() and np.isfinite(s).all()


def test_offset_shifts_the_detector_by_its_own_pixels():
    places = ParallelBeam(8, (0.0,), 4, 2.0, detector_offset=0.25).detector_places
    np.testing.assert_allclose(places, [-2.5, -0.5, 1.5, 3.5])


def test_every_view_sees_the_circle_that_the_shorter_half_of_the_detector_sees():
    assert ParallelBeam(8, (0.0,), 10, 2.0).seen_radius == 10.0
    assert ParallelBeam(8, (0.0,), 10, 2.0, detector_offset=-1.5).seen_radius == 7.0
    assert ParallelBeam(8, (0.0, 3.0), 10, 2.0, detector_offset=-1.5).seen_radius == 7.0


def test_in_a_whole_turn_the_longer_half_of_the_detector_is_enough():
    turn = tuple(np.arange(9) * 2 * np.pi / 9)
    assert ParallelBeam(8, turn, 10, 2.0, detector_offset=-1.5).seen_radius == 13.0


@given(geometries, st.integers(1, 4))
def test_finer_rays_average_to_the_same_places(geometry, parts):
    fine = geometry.finer(parts)
    theta, s = (values.reshape(*geometry.sinogram_shape, parts) for values in fine.lines())
    coarse_theta, coarse_s = geometry.lines()
    middle = slice((parts - 1) // 2, parts // 2 + 1)
    # The middle ray is the same line; of an even number the two beside it are as far off on either side.
    np.testing.assert_allclose(theta[..., middle].mean(axis=-1), coarse_theta, atol=1e-4)
    np.testing.assert_allclose(s[..., middle].mean(axis=-1) / parts, coarse_s, atol=1e-2)


@pytest.mark.parametrize("arc", [90, 120, 150, 180])
def test_limited_views_lack_the_rest_of_half_a_turn(arc):
    missing = ParallelBeam.uniform(8, 25, math.radians(arc)).missing_arc
    assert missing == pytest.approx(math.radians(180 - arc))


@given(st.lists(finite, min_size=1, max_size=12))
def test_arcs_are_within_a_period(angles):
    arcs = view_arcs(tuple(angles), math.pi)
    assert arcs.min() >= 0
    assert arcs.sum() <= math.pi + 1e-9


@given(st.permutations(range(5)), st.lists(st.integers(-2, 2), min_size=5, max_size=5))
def test_arcs_do_not_depend_on_order_or_periods(order, turns):
    angles = np.array([0.1, 0.3, 1.0, 1.1, 2.9])
    moved = (angles + np.array(turns) * math.pi)[order]
    found = view_arcs(tuple(moved), math.pi)
    np.testing.assert_allclose(found, view_arcs(tuple(angles), math.pi)[order])


def test_view_takes_half_of_the_way_to_either_neighbour_and_the_widest_gap_counts_as_the_second():
    arcs = view_arcs((0.0, 0.2, 1.0), math.pi)
    np.testing.assert_allclose(arcs, [(0.8 + 0.2) / 2, (0.2 + 0.8) / 2, (0.8 + 0.8) / 2])


def test_even_views_have_even_arcs():
    angles = ParallelBeam.uniform(8, 25).angles
    np.testing.assert_allclose(view_arcs(angles, math.pi), math.pi / 25)


def test_a_single_view_stands_for_the_whole_period():
    assert view_arcs((1.3,), math.pi) == math.pi
