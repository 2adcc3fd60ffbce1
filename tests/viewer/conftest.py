"""What the viewer's tests share."""

from __future__ import annotations

import pytest
from result_folder import make_result


@pytest.fixture
def result(tmp_path, rng):
    make_result(tmp_path / "result", rng)
    return tmp_path / "result"
