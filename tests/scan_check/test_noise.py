"""The noise estimate against the noise that was added."""

from __future__ import annotations

import numpy as np
import pytest
from disc_scans import discs_sinogram, objects
from hypothesis import given, settings
from hypothesis import strategies as st

from resample_ct.physics.geometry import ParallelBeam
from resample_ct.scan_check.noise import estimate_sigma

GEOMETRY = ParallelBeam(128, tuple(np.arange(60) * np.pi / 60), 182)
ROWS, COLUMNS = GEOMETRY.sinogram_shape


@settings(max_examples=20, deadline=None)
@given(objects(60.0), st.floats(0.05, 0.3), st.integers(0, 99))
def test_white_noise_is_found_to_a_tenth_whatever_the_object(discs, sigma, seed):
    """The edges of discs, sharper than the detector, are what is left; 10,000 values know it to 1 %."""
    noise = sigma * np.random.default_rng(seed).standard_normal(GEOMETRY.sinogram_shape)
    assert estimate_sigma(discs_sinogram(discs, GEOMETRY) + noise) == pytest.approx(sigma, rel=0.1)


def test_photon_noise_is_found_in_the_mean_of_its_variance():
    clean = discs_sinogram([(0.0, 0.0, 50.0, 0.03), (15.0, 5.0, 12.0, 0.02)], GEOMETRY)
    counts = np.random.default_rng(0).poisson(2e4 * np.exp(-clean))
    sigma = np.sqrt((np.exp(clean) / 2e4).mean())
    assert estimate_sigma(-np.log(counts / 2e4)) == pytest.approx(sigma, rel=0.15)


def test_a_detector_too_small_to_tell_has_none():
    assert estimate_sigma(np.ones((5, 6))) == 0.0
