"""A job that no measurement can be behind is refused when it is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from resample_ct.errors import OptionError
from resample_ct.run.job import Job


@pytest.mark.parametrize("sigma", [float("nan"), float("inf"), -1.0, -1e-9])
def test_noise_that_is_none_is_refused(sigma):
    with pytest.raises(OptionError, match=r"--sigma .*expected a finite number from 0 up"):
        Job(Path("scan.h5"), Path("out"), sigma=sigma)


@pytest.mark.parametrize("sigma", [None, 0.0, 0.02])
def test_noise_is_taken(sigma):
    assert Job(Path("scan.h5"), Path("out"), sigma=sigma).sigma == sigma
