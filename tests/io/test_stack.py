"""Missing and doubled slices are found under rounded positions; a planned gap is no missing slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from resample_ct.errors import StudyError
from resample_ct.io.sources import SourceFile
from resample_ct.io.stack import check_spacing
from resample_ct.values.volume import Grid


def checked(heights, numbers):
    """The notes on slices at these heights with these instance numbers, None for no number."""
    heights = np.array(heights, float)
    grid = Grid(np.outer(heights, [0, 0, 1]), np.eye(3)[0], np.eye(3)[1], (1.0, 1.0), 4, 4, 1.0)
    ordered = []
    for place, number in enumerate(numbers):
        header = Dataset()
        header.InstanceNumber = number
        ordered.append((SourceFile(Path(f"{place:02d}.dcm")), header))
    return check_spacing(grid, ordered)


spacings = st.sampled_from([0.6, 0.625, 0.75, 1.25, 2.5, 3.0, 5.0, 1 / 3])
decimals = st.sampled_from([1, 2, 3, 8])
directions = st.sampled_from([1, -1])


@given(
    spacings,
    decimals,
    st.integers(5, 40),
    st.integers(0, 30),
    st.integers(1, 3),
    directions,
    st.booleans(),
)
def test_a_missing_slice_is_found_however_positions_are_rounded(
    spacing, digits, count, first, missing, direction, numbered
):
    places = [place for place in range(count) if not 0 <= place - 1 - first < missing]
    # At an end of the stack nothing tells, and a gap between two lone slices has nothing to be held to.
    assume(len(places) > 3 and places[-1] == count - 1 and len(places) - (first + 1) > 0)
    heights = np.round(-100 + spacing * np.array(places), digits)
    numbers = [direction * place + 500 if numbered else None for place in places]
    with pytest.raises(StudyError, match=rf"{first + 1:02d}\.dcm.*add the {missing} missing slice"):
        checked(heights, numbers)


@given(spacings, decimals, st.integers(2, 60), directions)
def test_a_whole_stack_is_even_however_positions_are_rounded(spacing, digits, count, direction):
    heights = np.round(-100 + spacing * np.arange(count), digits)
    assert checked(heights, [direction * place + 500 for place in range(count)]) == []


@given(spacings, st.integers(1, 9))
def test_a_planned_gap_has_numbers_that_go_on(spacing, before):
    heights = spacing * np.array([*range(before + 1), *range(before + 3, before + 8)])
    (note,) = checked(heights, range(len(heights)))
    assert note.startswith("uneven spacing")


def test_numbers_that_skip_once_are_a_witness_where_the_gap_is_no_multiple():
    """1.25 mm, but for a pitch that changed where the slice is missing."""
    with pytest.raises(
        StudyError, match=r"gap of 2\.1 mm, InstanceNumber 4 to 6.*add the 1 missing slice,"
    ):
        checked([0, 1.25, 2.5, 3.75, 5.85, 7.1], [1, 2, 3, 4, 6, 7])


def test_every_second_slice_of_a_scan_is_a_stack():
    assert checked([0, 2, 4, 6], [1, 3, 5, 7]) == []
    with pytest.raises(StudyError, match="add the 1 missing slice,"):
        checked([0, 2, 6, 8], [1, 3, 7, 9])


def test_uneven_slices_with_any_numbers_are_kept():
    (note,) = checked([0, 3, 8, 11], [1, 2, 3, 4])
    assert note == "uneven spacing of 3 to 5 mm kept slice by slice"


@pytest.mark.parametrize("apart", [0.0, 0.009])
def test_two_slices_at_one_place_are_named(apart):
    with pytest.raises(StudyError, match=r"02\.dcm.*the position of 01\.dcm"):
        checked([0, 1, 1 + apart, 2, 3], [1, 2, 3, 4, 5])
