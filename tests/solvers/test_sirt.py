"""SIRT."""

from __future__ import annotations

import pytest
import torch
from laws import assert_batch_is_loop, norm, shepp_like, smooth_phantom

from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.solvers.sirt import sirt

OPERATOR = SparseProjector(ParallelBeam.uniform(32, 12))


@pytest.fixture
def y():
    noise = torch.randn(2, 1, *OPERATOR.range_shape, generator=torch.Generator().manual_seed(0))
    return OPERATOR(torch.cat([smooth_phantom(32), shepp_like(32)])) + 0.3 * noise


def test_ten_and_ten_are_twenty(y):
    assert torch.equal(sirt(OPERATOR, y, 10, start=sirt(OPERATOR, y, 10).x).x, sirt(OPERATOR, y, 20).x)


def test_nothing_is_negative(y):
    assert sirt(OPERATOR, y, 20).x.min() == 0


def test_batch_is_loop(y):
    assert_batch_is_loop(lambda part: sirt(OPERATOR, part, 10).x, y, 1e-5)


def test_residual_falls(y):
    few, many = (norm(OPERATOR(sirt(OPERATOR, y, n).x) - y) for n in (5, 50))
    assert many < few < norm(y)


def test_truth_is_a_fixed_point():
    truth = shepp_like(32).clamp(min=0)
    torch.testing.assert_close(sirt(OPERATOR, OPERATOR(truth), 10, start=truth).x, truth)


def test_pixels_that_no_ray_sees_stay_zero():
    narrow = SparseProjector(ParallelBeam(32, (0.0,), 4))
    x = sirt(narrow, narrow(torch.ones(1, 1, 32, 32)), 20).x
    assert x.isfinite().all() and not x[..., :10].any()
    torch.testing.assert_close(narrow(x), narrow(torch.ones(1, 1, 32, 32)))
