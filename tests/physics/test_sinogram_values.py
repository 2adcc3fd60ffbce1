"""Line integrals and radians are read whatever the object; what is only given for them is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from disc_scans import discs_sinogram, objects
from hypothesis import given, settings
from hypothesis import strategies as st

from resample_ct.errors import SinogramError
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sinogram_values import (
    notes_on_angles,
    refuse_other_than_line_integrals,
    to_radians,
)

PATH = Path("scan.h5")
DETECTORS = 96
QUICK = settings(max_examples=40, deadline=None)
photons = st.floats(3e2, 1e6)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def counts(draw):
    """Photon counts of one slice, (1, angle, detector), and the open beam's."""
    angles = np.arange(draw(st.integers(8, 60))) * 0.31
    clean = discs_sinogram(draw(objects(DETECTORS / 2)), ParallelBeam(64, tuple(angles), DETECTORS))
    open_beam = draw(photons)
    rng = np.random.default_rng(draw(seeds))
    return np.maximum(rng.poisson(open_beam * np.exp(-clean)), 1.0)[None], open_beam


@QUICK
@given(counts())
def test_line_integrals_of_any_object_are_taken(measured):
    found, open_beam = measured
    refuse_other_than_line_integrals(PATH, -np.log(found / open_beam))


@QUICK
@given(counts(), st.sampled_from([1.0, 100.0, 255.0]))
def test_transmission_is_refused_in_any_scale(measured, scale):
    found, open_beam = measured
    with pytest.raises(SinogramError, match=r"scan\.h5: dataset sinogram: .*(counts|transmission).*-ln"):
        refuse_other_than_line_integrals(PATH, scale * found / open_beam)


@QUICK
@given(counts(), st.floats(0, 200))
def test_counts_are_refused_with_and_without_dark_current(measured, dark):
    with pytest.raises(SinogramError, match=r"look like .*counts.*take -ln"):
        refuse_other_than_line_integrals(PATH, measured[0] + dark)


@QUICK
@given(counts())
def test_logarithms_without_the_open_beam_are_refused(measured):
    with pytest.raises(SinogramError, match="look like -ln of counts"):
        refuse_other_than_line_integrals(PATH, -np.log(measured[0]))


@QUICK
@given(counts())
def test_logarithms_of_the_wrong_sign_are_refused(measured):
    found, open_beam = measured
    with pytest.raises(SinogramError, match="change their sign"):
        refuse_other_than_line_integrals(PATH, np.log(found / open_beam))


@pytest.mark.parametrize("offset", [0.0, 0.004, -0.004])
def test_an_empty_scan_and_a_truncated_one_are_taken(offset):
    noise = 0.01 * np.random.default_rng(0).standard_normal((1, 30, DETECTORS))
    refuse_other_than_line_integrals(PATH, noise + offset)
    geometry = ParallelBeam(64, tuple(np.arange(30) * 0.1), DETECTORS)
    wide = discs_sinogram([(5.0, 3.0, 200.0, 0.01)], geometry)
    refuse_other_than_line_integrals(PATH, wide[None] + noise + offset)


@QUICK
@given(
    first=st.floats(-180, 180),
    step=st.floats(0.2, 15) | st.floats(-15, -0.2),
    views=st.integers(40, 720),
)
def test_degrees_without_a_unit_are_refused_and_with_it_converted(first, step, views):
    degrees = first + step * np.arange(views)
    with pytest.raises(SinogramError, match="look like degrees"):
        to_radians(PATH, degrees, None)
    np.testing.assert_allclose(to_radians(PATH, degrees, "degrees"), np.deg2rad(degrees))


@QUICK
@given(first=st.floats(-3.15, 3.15), span=st.floats(0.1, 6.29), views=st.integers(2, 720))
def test_radians_of_up_to_a_turn_are_taken_as_they_are(first, span, views):
    angles = first + np.linspace(0, span, views)
    np.testing.assert_array_equal(to_radians(PATH, angles, None), angles)


def test_several_turns_are_taken_where_their_unit_is_stated():
    golden = np.arange(100) * np.pi * (np.sqrt(5) - 1) / 2
    np.testing.assert_array_equal(to_radians(PATH, golden, "radians"), golden)
    with pytest.raises(SinogramError, match="units: found turns, expected radians or degrees"):
        to_radians(PATH, golden, "turns")


def test_views_at_one_angle_are_named():
    turn = np.linspace(0, 2 * np.pi, 721)
    assert notes_on_angles(turn) == [
        "dataset angles: views at one angle: 0 and 720; they share its weight"
    ]
    assert notes_on_angles(turn[:-1]) == notes_on_angles(turn[:-1][::-1]) == []
    assert notes_on_angles(np.array([0.0, 1.0, 1.0, 2.0])) == [
        "dataset angles: views at one angle: 1 and 2; they share its weight"
    ]


def test_views_out_of_order_are_named_but_not_a_turn_that_passes_zero():
    assert notes_on_angles(np.array([5.0, 6.0, 0.5, 1.5])) == []
    assert "2 steps go back" in notes_on_angles(np.array([0.0, 2.0, 1.0, 4.0, 3.0]))[0]
