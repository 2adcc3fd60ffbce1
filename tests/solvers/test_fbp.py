"""Filtered back-projection against the image that was projected."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_batch_is_loop, smooth_phantom, smooth_sinogram

from resample_ct.errors import OptionError
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import ParallelBeam, detectors_for
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.solvers.fbp import fbp, frequency_response

FILTERS = ["ramp", "hann", "shepp-logan", "cosine"]
SIZE = 64


def geometry(angles, spacing=1.0):
    return ParallelBeam(SIZE, tuple(angles), math.ceil(detectors_for(SIZE) / spacing), spacing)


def even(count):
    return np.arange(count) * np.pi / count


def rmse(rays: ParallelBeam, image: torch.Tensor, filter: str = "ramp") -> float:
    return float((fbp(rays, SparseProjector(rays)(image), filter) - image).square().mean().sqrt())


@pytest.mark.parametrize(
    "filter, most", [("ramp", 2e-3), ("shepp-logan", 2e-3), ("cosine", 6e-3), ("hann", 8e-3)]
)
def test_every_filter_recovers_a_smooth_phantom(filter, most):
    assert rmse(geometry(even(120)), smooth_phantom(SIZE), filter) < most


@pytest.mark.parametrize("spacing, most", [(0.5, 1e-3), (1.0, 2e-3), (2.0, 5e-3)])
def test_detector_spacing_does_not_matter(spacing, most):
    assert rmse(geometry(even(120), spacing), smooth_phantom(SIZE)) < most


def test_coarse_detector_leaves_no_gaps_between_its_rays():
    assert rmse(geometry(even(25), 2.0), smooth_phantom(SIZE)) < 5e-3


def test_uneven_unordered_views_are_weighted_with_their_arcs(rng):
    angles = rng.permutation(np.concatenate([np.linspace(0, 1, 120), np.linspace(1.02, 3.13, 130)]))
    assert rmse(geometry(angles), smooth_phantom(SIZE)) < 2e-3


def test_full_turn_is_as_good_as_half(rng):
    image = smooth_phantom(SIZE)
    assert rmse(geometry(2 * even(240)), image) < 1.1 * rmse(geometry(even(240)), image)


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("spacing", [0.5, 1.0, 2.0])
def test_mean_is_preserved(filter, spacing):
    image, rays = smooth_phantom(SIZE), geometry(even(90), spacing)
    mean = fbp(rays, SparseProjector(rays)(image), filter).mean()
    torch.testing.assert_close(mean, image.mean(), rtol=0.01, atol=0)


def test_batch_is_loop():
    rays = geometry(even(8))
    y = torch.rand(3, 1, *rays.sinogram_shape, generator=torch.Generator().manual_seed(0))
    assert_batch_is_loop(lambda part: fbp(rays, part), y, 1e-5)


@pytest.mark.parametrize("filter", FILTERS)
def test_response_follows_the_ramp_at_low_frequencies(filter):
    np.testing.assert_allclose(
        frequency_response(4096, filter)[10:40], np.arange(10, 40) / 4096, rtol=0.01
    )


@pytest.mark.parametrize("filter", FILTERS)
def test_fine_detector_holds_nothing_that_the_image_cannot(filter):
    assert not frequency_response(64, filter, 0.5)[17:].any()


def test_unknown_filter_is_refused():
    with pytest.raises(OptionError, match="filter boxcar: unknown, expected one of ramp, hann"):
        frequency_response(64, "boxcar")


def test_offset_of_the_detector_does_not_matter():
    rays = replace(geometry(even(120)), n_detectors=detectors_for(SIZE) + 12, detector_offset=5.25)
    assert rmse(rays, smooth_phantom(SIZE)) < 2e-3


def fan(arc=2 * math.pi, source_origin=110.0, curved=False):
    return FanBeam.uniform(
        SIZE,
        240,
        source_origin=source_origin,
        source_detector=2 * source_origin,
        arc=arc,
        curved=curved,
    )


def half_of_the_detector(whole):
    """What sees all of one side of the axis, and 16 detector pixels beyond it."""
    count = whole.n_detectors // 2
    return replace(whole, n_detectors=count + 16, detector_offset=whole.n_detectors / 4 - 8)


@pytest.mark.parametrize("curved", [False, True])
@pytest.mark.parametrize("source_origin", [60.0, 300.0])
@pytest.mark.parametrize("arc", [270, 300, 360])
def test_fan_is_as_good_as_parallel(curved, source_origin, arc):
    """270 degrees is nearly the shortest scan of the nearer source, whose fan is 98 degrees wide."""
    assert rmse(fan(math.radians(arc), source_origin, curved), smooth_phantom(SIZE)) < 2e-3


@pytest.mark.parametrize("curved", [False, True])
@pytest.mark.parametrize("change", [{"detector_offset": 0.25}, {"detector_offset": -3.6}])
def test_fan_of_a_shifted_detector_is_as_good(curved, change):
    assert rmse(replace(fan(curved=curved), **change), smooth_phantom(SIZE)) < 2e-3


@pytest.mark.parametrize("whole", [ParallelBeam.uniform(SIZE, 240, 2 * math.pi), fan(), fan(curved=True)])
def test_half_of_the_detector_is_enough_for_a_whole_turn(whole):
    assert rmse(half_of_the_detector(whole), smooth_phantom(SIZE)) < 2e-3


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("curved", [False, True])
def test_fan_keeps_the_mean(filter, curved):
    image, rays = smooth_phantom(SIZE), fan(curved=curved)
    mean = fbp(rays, SparseProjector(rays)(image), filter).mean()
    torch.testing.assert_close(mean, image.mean(), rtol=0.01, atol=0)


@given(st.floats(-math.pi, math.pi), st.booleans())
def test_turning_the_scan_and_the_image_by_a_quarter_is_the_same(start, curved):
    rays = FanBeam(
        16,
        tuple(start + np.arange(9) * 2 * np.pi / 9),
        32,
        2.0,
        source_origin=40.0,
        source_detector=80.0,
        curved=curved,
    )
    turned = replace(rays, angles=tuple(np.array(rays.angles) + np.pi / 2))
    y = smooth_sinogram(rays)
    # A quarter of a turn from x to y, which is anti-clockwise with y up, as rot90 turns rows and columns.
    torch.testing.assert_close(
        fbp(turned, y), torch.rot90(fbp(rays, y), 1, (2, 3)), rtol=0, atol=1e-4 * float(y.max())
    )


@pytest.mark.parametrize("whole", [geometry(even(120)), fan()])
def test_truncated_views_shine_less_than_views_cut_off(whole):
    """A disc that reaches beyond the detector; cut off is the same detector, with 0 where it ends."""
    place = torch.arange(SIZE) - (SIZE - 1) / 2
    radius = (place.square() + place[:, None].square()).sqrt()
    disc = (radius < 28).float()[None, None]
    rays = replace(whole, n_detectors=32)
    y = SparseProjector(rays)(disc)
    beside = (whole.n_detectors - 32) // 2
    cut_off = fbp(whole, torch.nn.functional.pad(y, (beside, beside)))
    found, worse = (float((x - disc)[..., radius < 12].abs().mean()) for x in (fbp(rays, y), cut_off))
    assert found < 0.2
    assert found < 0.6 * worse


def test_limited_views_keep_their_own_arcs():
    """Views that were never measured are not made up from the first and the last."""
    rays = ParallelBeam.uniform(SIZE, 60, math.pi / 2)
    whole = ParallelBeam.uniform(SIZE, 120)
    image = smooth_phantom(SIZE)
    part = torch.zeros(1, 1, *whole.sinogram_shape)
    part[:, :, :60] = SparseProjector(rays)(image)
    torch.testing.assert_close(fbp(rays, part[:, :, :60]), fbp(whole, part), rtol=0, atol=1e-4)
