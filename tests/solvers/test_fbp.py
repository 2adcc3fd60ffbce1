"""Filtered back-projection against the image that was projected."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from laws import assert_batch_is_loop, smooth_phantom

from resample_ct.errors import OptionError
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
    with pytest.raises(OptionError, match="--filter boxcar: unknown, expected one of ramp, hann"):
        frequency_response(64, "boxcar")


def test_offset_of_the_detector_does_not_matter():
    rays = replace(geometry(even(120)), n_detectors=detectors_for(SIZE) + 12, detector_offset=5.25)
    assert rmse(rays, smooth_phantom(SIZE)) < 2e-3
