"""Tissues and body by HU."""

from __future__ import annotations

import numpy as np
import pytest

from resample_ct.comparison.tissues import TISSUES, body, tissue


@pytest.mark.parametrize(
    "hu, name",
    [(-1000, "air"), (-850, "lung"), (-100, "fat"), (40, "soft tissue"), (700, "bone"), (200, "bone")],
)
def test_typical_hu_belongs_to_one_tissue(hu, name):
    assert [n for n in TISSUES if tissue(np.array([hu]), n)[0]] == [name]


@pytest.mark.parametrize("hu", [-300, -15, 170])
def test_mixture_belongs_to_none(hu):
    assert not any(tissue(np.array([hu]), name)[0] for name in TISSUES)


def disc(radius, centre=(32, 32)):
    rows, columns = np.indices((64, 64))
    return np.hypot(rows - centre[0], columns - centre[1]) <= radius


def test_body_holds_its_lungs_and_no_table():
    hu = np.full((64, 64), -1000.0)
    hu[disc(20)] = 40
    hu[disc(8)] = -850
    hu[60:62] = 300
    assert np.array_equal(body(hu), body(np.where(disc(20), 40.0, -1000.0)))
    assert (body(hu) & ~disc(20)).sum() == 0 and body(hu)[disc(17)].all()


def test_empty_slice_has_no_body():
    assert not body(np.full((16, 16), -1000.0)).any()
