"""How often the truth lies within so many spreads."""

from __future__ import annotations

import math

import numpy as np
import pytest

from resample_ct.comparison.coverage import SPREADS, Coverage


def test_errors_of_a_normal_distribution_are_covered_as_its_table_says():
    rng = np.random.default_rng(0)
    counts = Coverage()
    for _ in range(2):
        truth = rng.uniform(0.3, 0.6, (200, 200))
        spread = rng.uniform(0.01, 0.03, truth.shape)
        counts.add(truth + spread * rng.standard_normal(truth.shape), truth, spread)
    record = counts.record(3000.0)
    assert record["pixels"] == 80_000
    for k in SPREADS:
        assert record["within"][str(k)] == pytest.approx(math.erf(k / math.sqrt(2)), abs=0.01)
    assert record["rms_error_hu"] == pytest.approx(record["rms_spread_hu"], rel=0.02)
    assert record["rms_spread_hu"] == pytest.approx(3000 * math.sqrt(1.3e-3 / 3), rel=0.02)


def test_air_around_the_patient_does_not_count():
    truth = np.zeros((10, 10))
    truth[:2] = 0.5
    image = truth.copy()
    image[5] = 0.3  # something that is not there
    counts = Coverage()
    counts.add(image, truth, np.full((10, 10), 0.1))
    record = counts.record(1.0)
    assert record["pixels"] == 30
    assert record["within"] == {"1": pytest.approx(2 / 3), "2": pytest.approx(2 / 3), "3": 1.0}


def test_nothing_counted_is_no_record():
    assert Coverage().record(3000.0) is None
