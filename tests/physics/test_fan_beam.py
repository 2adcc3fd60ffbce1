"""The fan-beam geometry as a value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from laws import fan_beams

from resample_ct.errors import OptionError
from resample_ct.physics.fan_beam import FanBeam

GOOD = {
    "image_size": 8,
    "angles": (0.0,),
    "n_detectors": 12,
    "source_origin": 20.0,
    "source_detector": 30.0,
}


@given(fan_beams)
def test_repr_is_code(fan):
    assert eval(repr(fan)) == fan


@given(fan_beams)
def test_rays_run_from_the_source_to_the_detector(fan):
    """The source lies on every line, and so does the detector pixel that the docstring places."""
    theta, s = fan.lines()
    a = np.array(fan.angles)[:, None]
    source = fan.source_origin * np.array([np.sin(a), -np.cos(a)])
    across, along = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
    u, distance = fan.detector_places, fan.source_detector
    if fan.curved:
        pixel = source + distance * (np.sin(u / distance) * across + np.cos(u / distance) * along)
    else:
        pixel = source + distance * along + u * across
    for x, y in (np.broadcast_arrays(*source), pixel):
        np.testing.assert_allclose(
            x * np.cos(theta) + y * np.sin(theta), np.broadcast_to(s, theta.shape), atol=1e-9
        )


@pytest.mark.parametrize("curved", [False, True])
def test_uniform_fan_sees_the_diagonal_with_pixels_as_wide_as_the_images(curved):
    fan = FanBeam.uniform(64, 9, source_origin=120.0, source_detector=200.0, curved=curved)
    assert math.sqrt(0.5) * 64 <= fan.seen_radius < math.sqrt(0.5) * 64 + 3
    assert fan.detector_spacing == pytest.approx(200 / 120)
    np.testing.assert_allclose(fan.angles, np.arange(9) * 2 * np.pi / 9)
    assert fan.missing_arc == 0.0


def test_short_scan_is_complete_and_half_a_turn_is_not():
    half_fan = math.asin(32 / 120)

    def missing(arc: float) -> float:
        return FanBeam.uniform(64, 50, source_origin=120.0, source_detector=200.0, arc=arc).missing_arc

    assert missing(math.pi + 2 * half_fan) == pytest.approx(0.0, abs=1e-9)
    assert missing(math.pi) == pytest.approx(2 * half_fan)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"source_origin": 5.0}, "expected more than 5.7"),
        ({"source_origin": math.nan}, "the source is outside of the image"),
        ({"source_detector": 19.0}, "expected at least the 20 from source to axis"),
        ({"source_detector": math.inf}, "from source to detector"),
        ({"curved": True, "n_detectors": 120}, "114 degrees from the central one"),
        ({"n_detectors": 0}, "at least one of each"),
    ],
)
def test_impossible_fan_is_refused(change, message):
    with pytest.raises(OptionError, match=rf"geometry: found .*{message}"):
        FanBeam(**GOOD | change)


def test_source_inside_of_the_image_is_refused_by_uniform_too():
    with pytest.raises(OptionError, match="the source is outside of the image"):
        FanBeam.uniform(64, 9, source_origin=0.0, source_detector=200.0)
