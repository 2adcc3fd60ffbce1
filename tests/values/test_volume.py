"""Geometry of a stack, and area-preserving reduction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resample_ct.values.volume import AIR_HU, Grid, Volume, reduce_in_plane

OBLIQUE = np.array([[0.8, 0.6, 0], [-0.48, 0.64, 0.6]])


def grid(rows, columns, spacing, positions=((10.0, -20, 30),)):
    return Grid(
        positions=np.array(positions),
        row_direction=OBLIQUE[0],
        column_direction=OBLIQUE[1],
        spacing_mm=spacing,
        rows=rows,
        columns=columns,
        thickness_mm=2.0,
    )


def volume(hu, spacing=(1.0, 1.0)):
    return Volume(hu[None].astype(np.float32), grid(*hu.shape, spacing))


def centre(grid):
    return (grid.affine @ [(grid.columns - 1) / 2, (grid.rows - 1) / 2, 0, 1])[:3]


def mass(volume):
    row_mm, column_mm = volume.grid.spacing_mm
    return (volume.hu.astype(float) - AIR_HU).sum() * row_mm * column_mm


SPACINGS = st.tuples(st.floats(0.2, 3.0), st.floats(0.2, 3.0))
SIZES = st.integers(1, 24)


@st.composite
def volumes(draw):
    shape = draw(SIZES), draw(SIZES)
    seed = draw(st.integers(0, 2**32 - 1))
    hu = np.random.default_rng(seed).integers(-1000, 3000, shape)
    return volume(hu, draw(SPACINGS))


def test_half_the_size_is_the_mean_of_two_by_two(rng):
    hu = rng.integers(-1000, 2000, (512, 512))
    reduced = reduce_in_plane(volume(hu, (0.7, 0.7)), 256)
    expected = hu.reshape(256, 2, 256, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(reduced.hu[0], expected, atol=1e-3)


@given(source=volumes(), size=SIZES)
@settings(deadline=None)
def test_mass_is_preserved(source, size):
    assert mass(reduce_in_plane(source, size)) == pytest.approx(mass(source), rel=1e-5, abs=1e-2)


@given(source=volumes(), size=SIZES)
@settings(deadline=None)
def test_the_centre_stays(source, size):
    np.testing.assert_allclose(centre(source.grid.resized(size)), centre(source.grid), atol=1e-9)


@given(shape=st.tuples(SIZES, SIZES), spacing=SPACINGS, size=SIZES, hu=st.integers(-1000, 3000))
@settings(deadline=None)
def test_a_constant_stays_constant_inside(shape, spacing, size, hu):
    reduced = reduce_in_plane(volume(np.full(shape, hu), spacing), size)
    edges = (np.arange(size + 1) - size / 2) * reduced.grid.spacing_mm[0]
    inside = []
    for count, step in zip(shape, spacing, strict=True):
        within = np.abs(edges) <= count * step / 2 + 1e-12
        inside.append(within[1:] & within[:-1])
    np.testing.assert_allclose(reduced.hu[0][np.outer(*inside)], hu, atol=1e-2)


@given(source=volumes(), size=SIZES)
@settings(deadline=None)
def test_values_stay_between_air_and_the_highest(source, size):
    reduced = reduce_in_plane(source, size).hu
    assert reduced.min() >= AIR_HU - 1e-2
    assert reduced.max() <= source.hu.max() + 1e-2


def test_the_same_size_changes_nothing(rng):
    hu = rng.integers(-1000, 2000, (16, 16))
    same = reduce_in_plane(volume(hu, (0.7, 0.7)), 16)
    np.testing.assert_allclose(same.hu[0], hu, atol=1e-3)
    np.testing.assert_allclose(same.grid.positions, [[10, -20, 30]])


def test_beyond_the_shorter_side_is_air():
    reduced = reduce_in_plane(volume(np.zeros((4, 8))), 8)
    np.testing.assert_array_equal(reduced.hu[0, :2], AIR_HU)
    np.testing.assert_array_equal(reduced.hu[0, 2:6], 0)


def test_the_pixel_is_the_longer_side_s_share():
    assert grid(100, 300, (2.0, 0.5)).resized(50).spacing_mm == (4.0, 4.0)


def test_the_affine_maps_column_row_and_slice():
    stack = grid(4, 5, (2.0, 0.5), [(0, 0, 0), (0, 0, 3.0)])
    place = (stack.affine @ [2, 1, 1, 1])[:3]
    np.testing.assert_allclose(place, 2 * 0.5 * OBLIQUE[0] + 2.0 * OBLIQUE[1] + [0, 0, 3])


def test_the_normal_is_right_handed():
    np.testing.assert_allclose(grid(1, 1, (1, 1)).normal, np.cross(*OBLIQUE))


def test_gaps_are_measured_along_the_normal():
    normal = np.cross(*OBLIQUE)
    stack = grid(1, 1, (1, 1), [[0, 0, 0], 2 * normal + OBLIQUE[0], 5 * normal])
    np.testing.assert_allclose(stack.gaps_mm, [2, 3])


@pytest.mark.parametrize(("shift", "even"), [(0.0, True), (0.02, True), (0.2, False)])
def test_even_means_within_one_percent_of_the_step(shift, even):
    stack = grid(1, 1, (1, 1), [(0, 0, 0), (0, 0, 3 + shift), (0, 0, 6), (0, 0, 9)])
    assert stack.is_even is even


def test_a_lone_slice_keeps_the_step_it_had_among_its_neighbours():
    normal = np.cross(*OBLIQUE)
    stack = grid(1, 1, (1, 1), [k * 3 * normal for k in range(4)])
    lone = stack.select([2])
    np.testing.assert_allclose(lone.slice_step, 3 * normal)
    np.testing.assert_allclose(lone.positions, [6 * normal])
