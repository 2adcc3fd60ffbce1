"""Rules as values, and as the texts of a command."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resample_ct.errors import OptionError
from resample_ct.reconstruct.rules import Descent, Piccs, PseudoInverse, Ridge, parse_rule, rule_text

counts = st.integers(0, 10**6)
numbers = st.floats(0, 1e9, allow_nan=False)
shares = st.floats(0, 1, exclude_min=True, exclude_max=True)


@given(
    st.builds(PseudoInverse, numbers, counts)
    | st.builds(Ridge, numbers, counts)
    | st.builds(Piccs, shares, counts)
    | st.builds(Descent, numbers.filter(bool), counts)
)
def test_text_of_a_rule_reads_back_as_the_rule(rule):
    assert parse_rule(rule_text(rule)) == rule


@pytest.mark.parametrize("text", ["", "piccs", "piccs:0.5", "piccs:0.5,4.5", "tv:0.5,40", "ridge:a,3"])
def test_other_texts_are_refused_with_what_is_known(text):
    with pytest.raises(OptionError, match=rf"found {text}, expected one of .*piccs:ALPHA,N"):
        parse_rule(text)


@pytest.mark.parametrize(
    ("kind", "number", "told"),
    [
        (PseudoInverse, -1.0, "pseudo-inverse: found kappa -1.0, expected 0 or more"),
        (Ridge, math.nan, "ridge: found weight nan"),
        (Ridge, math.inf, "ridge: found weight inf"),
        (Piccs, 0.0, "piccs: found alpha 0.0, expected a share within 0 and 1"),
        (Piccs, 1.0, "piccs: found alpha 1.0"),
        (Descent, 0.0, "descent: found rate 0"),
    ],
)
def test_numbers_that_no_solver_could_use_are_refused(kind, number, told):
    with pytest.raises(OptionError, match=told):
        kind(number, 5)


def test_negative_iterations_are_refused():
    with pytest.raises(OptionError, match="ridge: found -3 iterations"):
        Ridge(0.1, -3)
