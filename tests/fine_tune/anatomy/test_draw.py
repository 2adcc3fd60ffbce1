"""Drawn slices look like CT by the numbers: range, tissues, two lungs; the seed decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from fine_tune.anatomy.draw import KINDS, draw_slice
from fine_tune.tissues import TISSUES, measure_tissues
from resample_ct.errors import OptionError
from resample_ct.values.units import Window

WINDOW = Window()


def drawn(kind, count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [WINDOW.to_hu(draw_slice(generator, WINDOW, kind)[0]).numpy() for _ in range(count)]


@pytest.fixture(scope="module")
def slices():
    """Twelve slices of each kind in HU, drawn once."""
    return {kind: drawn(kind, 12) for kind in KINDS}


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_slices_are_what_training_takes(kind):
    image = draw_slice(torch.Generator().manual_seed(3), WINDOW, kind)
    assert image.shape == (1, 256, 256) and image.dtype == torch.float32
    assert torch.isfinite(image).all() and image.min() >= 0 and image.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_generator_decides(kind):
    first, again = (draw_slice(torch.Generator().manual_seed(7), WINDOW, kind) for _ in range(2))
    assert torch.equal(first, again)
    generator = torch.Generator().manual_seed(7)
    torch.manual_seed(123)  # no other source of random numbers
    np.random.default_rng(123).normal()
    assert torch.equal(draw_slice(generator, WINDOW, kind), first)
    assert not torch.equal(draw_slice(generator, WINDOW, kind), first)


def test_window_is_the_callers():
    narrow = Window(-200, 300)
    wide = draw_slice(torch.Generator().manual_seed(2), WINDOW, "abdomen")
    close = draw_slice(torch.Generator().manual_seed(2), narrow, "abdomen")
    torch.testing.assert_close(close, narrow.from_hu(WINDOW.to_hu(wide)), atol=1e-4, rtol=0)


def test_unknown_kind_is_refused():
    with pytest.raises(OptionError, match="kind knee: unknown, expected one of chest"):
        draw_slice(torch.Generator(), WINDOW, "knee")


def test_kinds_are_drawn_by_their_shares():
    assert sum(KINDS.values()) == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
def test_body_lies_in_air(slices, kind):
    for hu in slices[kind]:
        body = ndimage.binary_fill_holes(hu > -500).mean()
        assert 0.1 < body < 0.8
        assert np.median(hu[:8]) == pytest.approx(-1000, abs=60)


@pytest.mark.parametrize(
    ("kind", "low", "high", "least", "most"),
    [
        ("chest", -950, -700, 0.06, 0.45),
        ("chest", -140, -60, 0.03, 0.35),
        ("chest", 0, 100, 0.06, 0.35),
        ("chest", 300, 2000, 0.008, 0.06),
        ("abdomen", -140, -60, 0.05, 0.40),
        ("abdomen", 0, 150, 0.08, 0.40),
        ("abdomen", 300, 2000, 0.004, 0.05),
        ("shoulders", 0, 150, 0.12, 0.45),
        ("head", 300, 2000, 0.03, 0.20),
    ],
)
def test_tissues_have_their_share(slices, kind, low, high, least, most):
    share = np.mean([((hu > low) & (hu < high)).mean() for hu in slices[kind]])
    assert least < share < most


def test_chests_have_a_lung_on_each_side(slices):
    lungs = []
    for hu in slices["chest"]:
        body = ndimage.binary_fill_holes(ndimage.binary_opening(hu > -500, iterations=3))
        lung = (hu < -650) & ndimage.binary_erosion(body, iterations=5)
        middle = round(ndimage.center_of_mass(body)[1])
        lungs.append((lung[:, :middle].mean(), lung[:, middle:].mean()))
    assert np.min(lungs) > 0.005
    assert np.mean(lungs) > 0.04


def test_hu_are_those_measured(slices):
    """The measure that made the table finds it again in what was drawn by it."""
    found = measure_tissues((hu, 1.5) for hu in slices["chest"] + slices["abdomen"])
    for name, tolerance in {
        "lung": 30,
        "fat": 8,
        "muscle": 15,
        "heart": 30,  # some patients were given contrast
        "liver": 30,
        "cancellous bone": 80,
        "cortical bone": 130,
    }.items():
        assert found[name].hu == pytest.approx(TISSUES[name].hu, abs=tolerance), name


def test_texture_is_between_the_smoothest_and_the_sharpest_kernel(slices):
    texture = measure_tissues((hu, 1.5) for hu in slices["abdomen"])["muscle"].texture
    assert 5 < texture < 35
