"""A job that no measurement can be behind is refused when it is made."""

from __future__ import annotations

import subprocess
import sys
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


@pytest.mark.parametrize(
    "change", [{"noise": "salt:1"}, {"slices": "a"}, {"methods": ("magic",)}], ids=str
)
def test_mistake_is_refused_before_torch_is_imported(change):
    script = (
        "import sys\nfrom pathlib import Path\nfrom resample_ct.errors import OptionError\n"
        "from resample_ct.run.job import Job\n"
        f"try: Job(Path('in'), Path('out'), **{change!r})\n"
        "except OptionError: sys.exit('torch' in sys.modules)\nsys.exit('accepted')"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
