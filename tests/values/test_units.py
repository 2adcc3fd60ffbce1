"""Units: every conversion has its inverse; and the slices that go through them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from resample_ct.errors import OptionError
from resample_ct.values.network_grid import network_slices
from resample_ct.values.units import Window, from_network, to_network
from resample_ct.values.volume import Grid, Volume

windows = st.builds(
    lambda lower, width: Window(lower, lower + width), st.floats(-2000, 2000), st.floats(1, 5000)
)


@given(windows, st.floats(0, 1))
def test_hu_and_attenuation_are_inverse_inside_the_window(window, v):
    hu = window.to_hu(np.array([v]))
    assert window.from_hu(hu)[0] == pytest.approx(v, abs=1e-9)


@given(windows)
def test_ends_of_the_window_are_zero_and_one(window):
    ends = np.array([window.lower, window.upper])
    np.testing.assert_allclose(window.from_hu(ends), [0, 1], atol=1e-12)


@given(windows, st.floats(-1e5, 1e5))
def test_outside_the_window_is_clipped(window, hu):
    assert 0 <= window.from_hu(np.array([hu]))[0] <= 1


def test_air_is_zero_and_water_a_third_by_default():
    np.testing.assert_allclose(Window().from_hu(np.array([-1000.0, 0.0, 2000.0])), [0, 1 / 3, 1])


def test_tensors_and_arrays_convert_alike():
    hu = np.linspace(-1500, 2500, 9)
    np.testing.assert_allclose(Window().from_hu(torch.from_numpy(hu)), Window().from_hu(hu))


@given(st.floats(-5, 5))
def test_network_range_has_its_inverse(v):
    assert float(from_network(to_network(torch.tensor(v)))) == pytest.approx(v, abs=1e-6)


def test_network_range_is_minus_one_to_one():
    assert to_network(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-1, 0, 1]


@pytest.mark.parametrize(
    "ends", [(0.0, 0.0), (5.0, -5.0), (math.nan, 1.0), (0.0, math.nan), (-math.inf, 1.0)]
)
def test_window_without_a_width_is_refused(ends):
    with pytest.raises(OptionError, match=r"HU window: found .* expected finite ascending"):
        Window(*ends)


def test_network_slices_are_clipped_attenuation_and_the_volume_is_not():
    grid = Grid(np.zeros((1, 3)), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), (1.0, 1.0), 256, 256, 1.0)
    hu = np.linspace(-2000, 4000, 256 * 256, dtype=np.float32).reshape(1, 256, 256)
    slices, reduced = network_slices(Volume(hu, grid), Window())
    assert slices.shape == (1, 1, 256, 256) and slices.dtype == torch.float32
    assert (slices.min(), slices.max()) == (0, 1)
    np.testing.assert_allclose(reduced.hu, hu, atol=1e-3)
    np.testing.assert_allclose(slices[0, 0], Window().from_hu(hu[0]), atol=1e-6)
