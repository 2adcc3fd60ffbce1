"""When a prior is in doubt: the figures by their formulas, and the shipped prior on odd measurements."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from resample_ct.bundles.bundle import read_bundle
from resample_ct.bundles.fbp_unet import read_fbp_unet
from resample_ct.bundles.refiner import read_refiner
from resample_ct.physics.backends import make_projector
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.resample import ReSample
from resample_ct.reconstruct.resample_settings import PRESETS
from resample_ct.reconstruct.trust import (
    MISFIT_LIMIT,
    MISSING_ARC_LIMIT_DEGREES,
    PRIOR_GAP_LIMIT_HU,
    RAYS_PER_PIXEL_LIMIT,
    SPREAD_LIMIT_HU,
    UNSEEN_SHARE_LIMIT,
    Trust,
    judge,
    notes_on_rays,
)
from resample_ct.values.units import Window


class ShiftedBy:
    """A prior whose D(E(x)) is x and a constant."""

    window = Window()

    def __init__(self, shift):
        self.shift = shift

    def encode(self, image):
        return image

    def decode(self, latent):
        return latent + self.shift


def measured(image, views=25, sigma=0.0):
    operator = make_projector(ParallelBeam.uniform(image.shape[-1], views))
    clean = operator(image)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    return Measurement(operator, clean + sigma * noise, torch.full((len(image),), sigma**2))


@pytest.fixture
def image():
    return torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.2


def test_exact_result_has_no_misfit_and_what_noise_explains_is_none(image):
    for found in judge(ShiftedBy(0.0), measured(image), image):
        assert found.misfit_share == pytest.approx(0, abs=1e-6)
    for found in judge(ShiftedBy(0.0), measured(image, sigma=0.1), image):
        assert found.misfit_share < 0.1 * 0.3 / float(measured(image).sinogram.square().mean().sqrt())


def test_misfit_is_a_share_of_the_sinogram(image):
    # Everything a tenth too bright leaves a tenth of the sinogram.
    for found in judge(ShiftedBy(0.0), measured(image), 1.1 * image):
        assert found.misfit_share == pytest.approx(0.1, rel=1e-3)


def test_gap_is_in_hu(image):
    for found in judge(ShiftedBy(0.02), measured(image), image):
        assert found.prior_gap_hu == pytest.approx(0.02 * 3000, rel=1e-3)


def test_slices_are_judged_one_by_one(image):
    changed = torch.cat([image[:1], 1.1 * image[1:]])
    first, second = judge(ShiftedBy(0.0), measured(image), changed)
    assert first.misfit_share < 1e-5 < second.misfit_share


def test_rays_are_counted(image):
    found = judge(ShiftedBy(0.0), measured(image, views=4), image)[0]
    assert found.rays_per_pixel == 4 * 46 / 32**2


def judged_on(geometry, image):
    operator = make_projector(geometry)
    return judge(ShiftedBy(0.0), Measurement(operator, operator(image), torch.zeros(2)), image)[0]


@pytest.mark.parametrize("arc", [90, 120, 150])
def test_limited_views_are_in_doubt_and_noted(image, arc):
    limited = ParallelBeam.uniform(32, 90, math.radians(arc))
    found = judged_on(limited, image)
    assert found.missing_arc_degrees == pytest.approx(180 - arc)
    assert f"the views lack {180 - arc} degrees of a complete scan" in found.doubt
    (note,) = notes_on_rays(limited)
    assert f"lack {180 - arc} degrees" in note


def test_detector_that_cuts_the_patient_off_is_in_doubt_and_noted(image):
    narrow = replace(ParallelBeam.uniform(32, 90), n_detectors=16)
    found = judged_on(narrow, image)
    place = torch.arange(32) - 15.5
    outside = place.square() + place[:, None].square() > 8**2
    assert found.unseen_share == pytest.approx(float((image[0] * outside).sum() / image[0].sum()))
    assert "where the detector did not see every line" in found.doubt
    (note,) = notes_on_rays(narrow)
    assert "within 8 pixels of the axis, of 16" in note


def test_complete_scans_have_no_notes():
    fan = FanBeam.uniform(32, 25, source_origin=60.0, source_detector=100.0)
    for geometry in (ParallelBeam.uniform(32, 25), ParallelBeam.uniform(32, 25, 2 * math.pi), fan):
        assert notes_on_rays(geometry) == []


def test_spread_is_the_root_mean_square_of_a_slice_in_hu(image):
    spread = torch.zeros_like(image)
    spread[1, :, :16] = 0.02
    none, some = judge(ShiftedBy(0.0), measured(image), image, spread)
    assert none.spread_hu == 0 and some.spread_hu == pytest.approx(0.5**0.5 * 0.02 * 3000, rel=1e-4)
    assert judge(ShiftedBy(0.0), measured(image), image)[0].spread_hu is None


@pytest.mark.parametrize(
    "figures, told",
    [
        ((2 * MISFIT_LIMIT, 0.0, 1.0), "of the sinogram is left unexplained"),
        ((0.0, 2 * PRIOR_GAP_LIMIT_HU, 1.0), "from what the prior can express"),
        ((0.0, 0.0, RAYS_PER_PIXEL_LIMIT / 2), "the prior's guess"),
        ((0.0, 0.0, 1.0, 2 * SPREAD_LIMIT_HU), "they disagree"),
        ((0.0, 0.0, 1.0, None, 2 * MISSING_ARC_LIMIT_DEGREES), "lack 20 degrees of a complete scan"),
        ((0.0, 0.0, 1.0, None, 0.0, 2 * UNSEEN_SHARE_LIMIT), "4% of the attenuation"),
    ],
)
def test_each_figure_beyond_its_limit_is_a_reason(figures, told):
    assert told in Trust(*figures).doubt and ";" not in Trust(*figures).doubt
    assert Trust(*figures).record()["doubt"] == Trust(*figures).doubt


def test_figures_at_their_limits_leave_no_doubt():
    limits = (
        MISFIT_LIMIT,
        PRIOR_GAP_LIMIT_HU,
        RAYS_PER_PIXEL_LIMIT,
        SPREAD_LIMIT_HU,
        MISSING_ARC_LIMIT_DEGREES,
        UNSEEN_SHARE_LIMIT,
    )
    assert Trust(*limits).doubt == ""


@pytest.fixture(scope="module")
def prior():
    return read_bundle()


def by_resample(prior, image, views=25):
    """Measure with noise 0.01 as the limits were, reconstruct and judge."""
    networks = read_fbp_unet(), read_refiner()
    method = ReSample.started(prior, *networks, settings=PRESETS["fast"])
    measurement = measured(image, views, 0.01)
    result = method(measurement, [torch.Generator().manual_seed(0)]).x.clamp(0, 1)
    return judge(prior, measurement, result)[0]


def disc(radius, row=0, column=0):
    rows, columns = torch.meshgrid(torch.arange(256) - 128, torch.arange(256) - 128, indexing="ij")
    return ((rows - row) ** 2 + (columns - column) ** 2 <= radius**2)[None, None]


@pytest.mark.slow
def test_ordinary_slice_of_a_new_patient_is_trusted(prior, real_slice):
    assert by_resample(prior, real_slice).doubt == ""


@pytest.mark.slow
def test_metal_beyond_the_window_is_doubted(prior, real_slice):
    implant = torch.where(disc(8, 10, 20), (3000 + 1000) / Window().width, real_slice)
    assert "left unexplained" in by_resample(prior, implant).doubt


@pytest.mark.slow
def test_another_kind_of_object_is_doubted(prior):
    squares = (torch.arange(256) // 8) % 2
    board = (squares[:, None] ^ squares[None, :]).float()[None, None] * disc(100)
    assert "can express" in by_resample(prior, board).doubt


@pytest.mark.slow
def test_two_views_are_doubted(prior, real_slice):
    assert "the prior's guess" in by_resample(prior, real_slice, views=2).doubt
