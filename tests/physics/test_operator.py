"""Laws of the projector as a linear operator, over random geometries."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from laws import (
    assert_adjoint,
    assert_batch_is_loop,
    assert_gradient_is_adjoint,
    assert_linear,
    geometries,
    random_pair,
)

from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sparse_projector import SparseProjector

seeds = st.integers(0, 2**31)
batches = st.integers(1, 3)


@pytest.fixture
def operator():
    return SparseProjector(ParallelBeam(16, (0.1, 0.8, 1.7, 2.9), 20, 1.3))


@given(geometries, batches, seeds)
def test_adjoint(geometry, batch, seed):
    assert_adjoint(SparseProjector(geometry), batch, seed)


@given(geometries, batches, seeds)
def test_adjoint_of_the_adjoint(geometry, batch, seed):
    operator = SparseProjector(geometry)
    assert_adjoint(operator.T, batch, seed)
    assert operator.T.T is operator and operator.T is operator.T


@given(geometries, batches, seeds)
def test_linear(geometry, batch, seed):
    assert_linear(SparseProjector(geometry), batch, seed)


@given(geometries, batches, seeds)
def test_gradient_is_the_adjoint(geometry, batch, seed):
    assert_gradient_is_adjoint(SparseProjector(geometry), batch, seed)


@given(geometries, seeds)
def test_batch_is_loop(geometry, seed):
    operator = SparseProjector(geometry)
    x, y = random_pair(operator, 3, seed)
    # Sums of up to 64 values of size 1, added in another order for one slice.
    assert_batch_is_loop(operator, x, 2e-5)
    assert_batch_is_loop(operator.T, y, 2e-5)


def test_transpose_of_the_transpose_is_the_operator(operator):
    assert operator.T.T is operator


def test_transpose_swaps_the_shapes(operator):
    assert operator.T.domain_shape == operator.range_shape == (4, 20)
    assert operator.T.range_shape == operator.domain_shape == (16, 16)


def test_gradient_of_a_misfit_matches_finite_differences(operator):
    x, y = random_pair(operator, 2, 0)
    direction, _ = random_pair(operator, 2, 1)

    def misfit(x):
        return 0.5 * (operator(x) - y).square().sum()

    (gradient,) = torch.autograd.grad(misfit(x.requires_grad_(True)), x)
    step = 0.5  # central differences of a quadratic are exact for any step
    slope = (misfit(x + step * direction) - misfit(x - step * direction)) / (2 * step)
    torch.testing.assert_close(slope, (gradient * direction).sum(), rtol=1e-3, atol=1e-2)


def test_second_derivative_is_the_normal_operator(operator):
    x, y = random_pair(operator, 2, 0)
    direction, _ = random_pair(operator, 2, 1)
    x.requires_grad_(True)
    misfit = 0.5 * (operator(x) - y).square().sum()
    (gradient,) = torch.autograd.grad(misfit, x, create_graph=True)
    (curvature,) = torch.autograd.grad((gradient * direction).sum(), x)
    torch.testing.assert_close(curvature, operator.T(operator(direction)))


def test_gradient_flows_through_the_adjoint(operator):
    _, y = random_pair(operator, 1, 0)
    y.requires_grad_(True)
    (gradient,) = torch.autograd.grad(operator.T(y).sum(), y)
    torch.testing.assert_close(gradient, operator(torch.ones(1, 1, 16, 16)))


@pytest.mark.parametrize("shape", [(16, 16), (1, 16, 16), (1, 3, 16, 16), (1, 1, 16, 17), (1, 1, 20, 4)])
def test_another_shape_is_refused(operator, shape):
    with pytest.raises(ValueError, match=r"found shape .* expected \(B, 1, 16, 16\)"):
        operator(torch.zeros(shape))


def test_batch_is_loop_beyond_what_is_multiplied_at_once():
    operator = SparseProjector(ParallelBeam.uniform(256, 3))
    x, y = random_pair(operator, 17, 0)
    assert_batch_is_loop(operator, x, 1e-4)
    assert_batch_is_loop(operator.T, y, 1e-4)


def test_equal_geometries_get_the_same_projector():
    assert make_projector(ParallelBeam.uniform(8, 3)) is make_projector(ParallelBeam.uniform(8, 3))
