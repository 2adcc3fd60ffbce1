"""Values that are no CT are refused before any training, naming the series."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_studies import body

from fine_tune.quality import check_values
from resample_ct.errors import StudyError
from resample_ct.io.study import SlicePixels, Study
from resample_ct.values.volume import Grid


def study(*slices):
    rows, columns = slices[0].shape
    grid = Grid(
        positions=np.arange(len(slices))[:, None] * np.array([0.0, 0, 3]),
        row_direction=np.array([1.0, 0, 0]),
        column_direction=np.array([0.0, 1, 0]),
        spacing_mm=(1.0, 1.0),
        rows=rows,
        columns=columns,
        thickness_mm=3.0,
    )
    pixels = [SlicePixels.of(s.astype(np.float32)) for s in slices]
    return Study("study", grid, (), lambda index: pixels[index], tuple(range(len(slices))))


AIR = np.full((64, 64), -1000.0)


def test_body_is_accepted():
    check_values(study(body(), AIR), "a", [0])


def test_air_at_the_end_of_a_stack_is_no_fault():
    check_values(study(AIR, AIR, body()), "a", [0, 1])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_values_are_refused(value):
    broken = body()
    broken[3, 4] = value
    with pytest.raises(StudyError, match=r"a: slice 2: found values that are not finite"):
        check_values(study(body(), broken), "a", [0, 1])


def test_air_alone_is_refused():
    noisy = AIR + np.arange(64)
    with pytest.raises(StudyError, match="a: every voxel is below -850 HU, expected a body"):
        check_values(study(noisy, AIR), "a", [1])


@pytest.mark.parametrize("value", [-1000.0, 0.0, 40.0, -3024.0])
def test_one_value_everywhere_is_refused(value):
    with pytest.raises(StudyError, match=r"a: every voxel is"):
        check_values(study(np.full((64, 64), value)), "a", [0])


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (0.0, 4095.0), (0.0, 0.05)]
)
def test_values_that_are_no_hu_are_refused(low, high):
    normalised = low + (body() + 1000.0) / 1040.0 * (high - low)
    with pytest.raises(StudyError, match=r"a: values lie between .* expected HU"):
        check_values(study(normalised), "a", [0])
