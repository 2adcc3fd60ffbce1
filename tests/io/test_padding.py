"""Padding is what the header says or a flat region at the border; measured air is measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resample_ct.io.padding import flat_at_border, padding_of

SIDE = 96


def disc(radius, side=SIDE):
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    return np.hypot(rows, columns) < radius * side


def slice_of(seed, air=-1000.0, noise=20.0):
    """A body of soft tissue in noisy air."""
    rng = np.random.default_rng(seed)
    hu = np.where(disc(0.35), 40.0, air) + noise * rng.standard_normal((SIDE, SIDE))
    return np.rint(hu).astype(np.float32)


seeds = st.integers(0, 10_000)


@given(seeds, st.floats(-1150, -1000), st.floats(5, 60))
def test_measured_air_below_minus_1024_is_no_padding(seed, air, noise):
    padding, disputed = padding_of(slice_of(seed, air, noise))
    assert not padding.any() and disputed == 0


@given(seeds, st.sampled_from([-1300, -1500, -2000, -2048, -3024, -32768]), st.booleans())
def test_a_flat_region_outside_the_field_of_view_is_padding(seed, value, strip):
    """The corners about a circle, or a strip where the image was shifted."""
    outside = ~disc(0.5)
    if strip:
        outside = np.zeros((SIDE, SIDE), bool)
        outside[:, :7] = True
    hu = np.where(outside, value, slice_of(seed)).astype(np.float32)
    padding, _ = padding_of(hu)
    np.testing.assert_array_equal(padding, outside)


def test_two_flat_values_are_both_padding():
    hu = slice_of(0)
    hu[:10, :10], hu[-10:] = -3024, -2048
    padding, _ = padding_of(hu)
    assert padding.sum() == 100 + 10 * SIDE


@given(seeds, st.integers(-3000, -1000))
def test_a_named_value_as_low_as_air_is_padding_wherever_it_is(seed, value):
    named = np.zeros((SIDE, SIDE), bool)
    named[40:42, 50], named[0, :3] = True, True
    padding, disputed = padding_of(np.where(named, value, slice_of(seed)).astype(np.float32), named)
    np.testing.assert_array_equal(padding, named)
    assert disputed == 0


@given(seeds, st.integers(-990, 2000), st.booleans())
def test_a_named_value_of_tissue_is_measured_inside_the_body(seed, value, corner):
    """PixelPaddingValue 0 in an image stored as HU: water is no air."""
    hu = slice_of(seed)
    inside = disc(0.1)
    hu[inside] = value
    if corner:
        hu[:12, :12] = value
    padding, disputed = padding_of(hu, hu == value)
    assert not padding[10:86, 10:86][inside[10:86, 10:86]].any()
    assert disputed >= inside.sum()
    assert padding[:12, :12].all() == corner


def test_a_named_value_of_tissue_at_the_border_alone_is_padding():
    hu = slice_of(0)
    hu[0, 10:15] = 3000
    padding, disputed = padding_of(hu, hu == 3000)
    assert padding[0, 10:15].all() and padding.sum() == 5 and disputed == 0


@pytest.mark.parametrize("value", [-1024.0, 0.0, 3000.0])
def test_a_flat_region_that_is_not_below_air_is_measured_unless_named(value):
    hu = slice_of(0)
    hu[:20] = value
    assert not padding_of(hu)[0].any()
    assert padding_of(hu, hu == value)[0].sum() >= 20 * SIDE
    assert flat_at_border(hu)[:20].all()


def test_noise_has_no_flat_region():
    assert not flat_at_border(slice_of(1, noise=3.0)).any()
