"""The geometry as a value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from laws import geometries

from resample_ct.errors import OptionError
from resample_ct.physics.geometry import ParallelBeam, detectors_for


@given(geometries)
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
    ],
)
def test_bad_geometry_is_refused(change):
    good = {"image_size": 8, "angles": (0.0,), "n_detectors": 12, "detector_spacing": 1.0}
    with pytest.raises(OptionError, match=r"geometry: found .* expected"):
        ParallelBeam(**good | change)
