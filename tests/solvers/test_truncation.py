"""Views of a detector that is narrower than the image."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import fan_beams, parallel_beams

from resample_ct.physics.geometry import ParallelBeam
from resample_ct.solvers.truncation import extended


def test_detector_that_sees_the_image_is_left_as_it_is():
    rays = ParallelBeam.uniform(32, 4)
    views = torch.rand(1, 1, *rays.sinogram_shape)
    same_rays, same_views = extended(rays, views)
    assert same_rays is rays and same_views is views


@settings(max_examples=40)
@given(parallel_beams | fan_beams)
def test_measured_rays_stay_where_they_were_and_the_rest_falls(rays):
    views = torch.rand(1, 1, *rays.sinogram_shape)
    wide, found = extended(rays, views)
    assert found.shape[2:] == wide.sinogram_shape
    before = round((rays.detector_places[0] - wide.detector_places[0]) / rays.detector_spacing)
    torch.testing.assert_close(found[..., before : before + rays.n_detectors], views)
    right = found[..., before + rays.n_detectors :]
    assert (right.diff(dim=-1) <= 1e-6).all() or rays.turns_whole
    assert (right <= views[..., -1:]).all()


@given(st.integers(3, 40), st.integers(-3, 3))
def test_extended_detector_sees_the_diagonal(detectors, offset):
    rays = ParallelBeam(32, (0.1, 1.0), detectors, detector_offset=float(offset))
    wide, _ = extended(rays, torch.zeros(1, 1, *rays.sinogram_shape))
    assert wide.seen_radius >= math.sqrt(0.5) * 32 - 1e-9


def test_what_a_whole_turn_measured_from_the_other_side_is_not_continued():
    whole = ParallelBeam.uniform(32, 8, 2 * math.pi)
    rays = replace(whole, n_detectors=30, detector_offset=10.0)
    wide, found = extended(rays, torch.ones(1, 1, *rays.sinogram_shape))
    opposite = -wide.detector_places <= rays.detector_places[-1]
    added = wide.detector_places < rays.detector_places[0] - 0.1
    assert not found[..., opposite & added].any()
