"""The peak of memory since a moment."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from resample_ct.peak_memory import forget_peak, peak_mb


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak since a moment")
def test_peak_rises_with_what_is_taken_and_is_forgotten():
    forget_peak()
    before = peak_mb()
    taken = np.ones(300 * 2**20, np.uint8)
    during = peak_mb()
    assert taken.sum() > 0 and during > before + 250
    del taken
    assert peak_mb() == pytest.approx(during, abs=5)
    forget_peak()
    assert peak_mb() < before + 100
