"""Shapes cover pixels by their area, wherever they lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fine_tune.anatomy.canvas import (
    ANGLES,
    Canvas,
    Contour,
    ellipse_distance,
    grain,
    oval,
    ripple,
    segment_distance,
    smooth_union,
)
from fine_tune.tissues import Tissue

SOLID = Tissue(0.0, 0.0, 0.0)

places = st.floats(-60, 60)
sizes = st.floats(4, 40)


def painted_mm2(canvas):
    """Area painted with 0 HU in air."""
    return float((canvas.hu + 1000).sum(dtype=np.float64)) / 1000 * canvas.spacing_mm**2


@settings(max_examples=25)
@given(places, places, sizes, st.floats(0.5, 1), st.floats(0, 3))
def test_ellipses_cover_their_area(x, y, radius, ratio, angle):
    canvas = Canvas(1.5)
    canvas.ellipse(SOLID, (x, y), (radius, radius * ratio), angle)
    assert painted_mm2(canvas) == pytest.approx(np.pi * radius**2 * ratio, rel=0.05, abs=2)


@settings(max_examples=25)
@given(places, places, st.floats(0.1, 6), st.floats(0, 3), st.floats(20, 50))
def test_tubes_cover_their_area_even_when_thinner_than_a_pixel(x, y, radius, angle, length):
    canvas = Canvas(1.5)
    end = x + length * np.cos(angle), y + length * np.sin(angle)
    canvas.tube(SOLID, (x, y), end, radius)
    seen = max(radius, 0.75)
    expected = (2 * seen * length + np.pi * seen**2) * radius / seen
    assert painted_mm2(canvas) == pytest.approx(expected, rel=0.08, abs=2)


def test_what_lies_outside_is_not_painted():
    canvas = Canvas(1.0)
    canvas.ellipse(SOLID, (500.0, -500.0), (10, 10))
    canvas.tube(SOLID, (300, 0), (400, 0), 3)
    assert (canvas.hu == -1000).all()


def test_clip_holds_a_shape_inside_another():
    canvas = Canvas(1.0)
    left = (canvas.x < 0).astype(np.float32)
    canvas.ellipse(SOLID, (0, 0), (30, 30), clip=left)
    assert (canvas.hu[canvas.x > 0] == -1000).all()
    assert painted_mm2(canvas) == pytest.approx(np.pi * 900 / 2, rel=0.02)


@settings(max_examples=20)
@given(st.floats(20, 90), places, places)
def test_round_contour_is_a_disc(radius, x, y):
    canvas = Canvas(1.5)
    contour = Contour(np.full(len(ANGLES), radius))
    distance = contour.distance(canvas.polar(x, y))
    np.testing.assert_allclose(distance, np.hypot(canvas.x - x, canvas.y - y) - radius, atol=1e-2)


def test_contour_has_its_radius_at_every_angle():
    contour = oval(np.random.default_rng(0), (80, 40), 2.0, 0.0)
    assert contour.radius(0.0) == contour.radius(2 * np.pi) == pytest.approx(80, rel=1e-2)
    assert contour.radius(np.pi / 2) == pytest.approx(40, rel=1e-2)


def test_oval_distance_is_that_of_an_ellipse():
    canvas = Canvas(1.5)
    contour = oval(np.random.default_rng(0), (80, 60), 2.0, 0.0)
    near = np.abs(exact := ellipse_distance(canvas.x, canvas.y, (80, 60))) < 3
    np.testing.assert_allclose(contour.distance(canvas.polar(0, 0))[near], exact[near], atol=0.3)


def test_segment_distance_is_to_the_nearest_end_or_the_side():
    x, y = np.array([5.0, -3.0, 13.0]), np.array([2.0, 4.0, -4.0])
    np.testing.assert_allclose(segment_distance(x, y, (0, 0), (10, 0)), [2, 5, 5])


def test_smooth_union_holds_both_and_fills_the_corner():
    first, second = np.array([-1.0, 20.0, 1.0]), np.array([20.0, -2.0, 1.0])
    union = smooth_union(first, second, 4.0)
    assert union[:2].tolist() == [-1.0, -2.0]
    assert union[2] < 1.0


def test_symmetric_ripples_are_the_same_left_and_right():
    wave = ripple(np.random.default_rng(0), (1, 6), lopsided=0.0)
    mirrored = np.interp(np.pi - ANGLES, ANGLES, wave, period=2 * np.pi)
    np.testing.assert_allclose(wave, mirrored, atol=1e-6)


@pytest.mark.parametrize("size_mm", [2.0, 6.0, 40.0])
def test_grain_has_unit_spread_and_its_size(size_mm):
    field = grain(np.random.default_rng(0), size_mm, 1.5)
    assert field.shape == (256, 256) and field.std() == pytest.approx(1, abs=0.01)
    step = max(1, round(size_mm / 1.5))
    near = np.mean(field[:, :-1] * field[:, 1:])
    far = np.mean(field[:, : -4 * step] * field[:, 4 * step :])
    assert near > far
    assert abs(far) < 0.35
