"""Which slices are taken, and what is told to those who ask for others."""

from __future__ import annotations

import pytest

from resample_ct.errors import OptionError
from resample_ct.run.slices import check_slices, parse_slices


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, [0, 1, 2, 3]),
        ("1:3", [1, 2]),
        (":2", [0, 1]),
        ("2:", [2, 3]),
        ("3,0", [0, 3]),
        ("2", [2]),
    ],
)
def test_slices_are_those_asked_for_in_their_order(text, expected):
    check_slices(text)
    assert parse_slices(text, 4) == expected


@pytest.mark.parametrize("text", ["40", "-1", "2:2", "3:1", "28:31", "1,1", ""])
def test_what_the_study_does_not_have_is_told_with_what_it_has(text):
    told = "not understood" if text == "" else "the study has slices 0 to 29, expected some of them"
    with pytest.raises(OptionError, match=f"^--slices {text}: {told}"):
        parse_slices(text, 30)


@pytest.mark.parametrize("text", ["a", "1:2:3", "1.5", "1;2"])
def test_what_is_no_choice_of_slices_is_refused_without_a_study(text):
    with pytest.raises(OptionError, match=f"^--slices {text}: not understood"):
        check_slices(text)
