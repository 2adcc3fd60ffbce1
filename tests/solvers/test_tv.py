"""Total variation and PICCS: their objectives, not only their images."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_batch_is_loop, inner, norm, shepp_like, smooth_phantom

from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.solvers.cg import cgls
from resample_ct.solvers.tv import gradient, gradient_adjoint, piccs, tv, weight_for_noise

OPERATOR = SparseProjector(ParallelBeam.uniform(32, 10))
TRUTH = shepp_like(32)
WEIGHT = 0.2


@pytest.fixture(scope="module")
def y():
    noise = torch.randn(1, 1, *OPERATOR.range_shape, generator=torch.Generator().manual_seed(0))
    return OPERATOR(TRUTH) + 0.1 * noise


@pytest.fixture(scope="module")
def solution(y):
    """Many more iterations than anybody would wait for."""
    return tv(OPERATOR, y, WEIGHT, 1000).x


def variation(x):
    return float(gradient(x).norm(dim=1).sum())


def objective(x, y, weight=WEIGHT):
    return 0.5 * norm(OPERATOR(x) - y) ** 2 + weight * variation(x)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(0, 2**31))
def test_gradient_has_its_exact_adjoint(rows, columns, batch, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, 1, rows, columns, generator=generator)
    p = torch.randn(batch, 2, rows, columns, generator=generator)
    assert inner(gradient(x), p) == pytest.approx(inner(x, gradient_adjoint(p)), rel=1e-5, abs=1e-4)


def test_variation_of_a_square_is_its_rim():
    x = torch.zeros(1, 1, 8, 8)
    x[..., 2:5, 2:5] = 1
    # 12 unit edges, two of which meet in the one corner where both differences start.
    assert variation(x) == pytest.approx(10 + 2**0.5)


def test_objective_is_below_the_starts_and_the_truths(y):
    start = cgls(OPERATOR, y, 10).x.clamp(min=0)
    found = objective(tv(OPERATOR, y, WEIGHT, 150, start).x, y)
    assert found < objective(start, y) and found < objective(TRUTH, y)


def test_default_iterations_nearly_reach_the_least_objective(y, solution):
    assert objective(tv(OPERATOR, y, WEIGHT).x, y) < 1.01 * objective(solution, y)


def test_no_neighbour_of_the_solution_is_better(y, solution):
    least = objective(solution, y)
    for seed in range(10):
        step = torch.randn(solution.shape, generator=torch.Generator().manual_seed(seed))
        assert objective((solution + 0.01 * step).clamp(min=0), y) > least


def test_solution_does_not_depend_on_the_start(y, solution):
    found = tv(OPERATOR, y, WEIGHT, 500, start=torch.ones_like(TRUTH)).x
    torch.testing.assert_close(found, solution, atol=5e-3, rtol=0)


def test_edges_come_back_better_than_by_least_squares(y):
    assert norm(tv(OPERATOR, y, WEIGHT).x - TRUTH) < 0.5 * norm(cgls(OPERATOR, y, 20).x - TRUTH)


def test_nothing_is_negative(y):
    assert tv(OPERATOR, y, WEIGHT, 20).x.min() >= 0


def test_batch_is_loop_with_a_weight_for_each_slice(y):
    weights = torch.tensor([0.02, 2.0]).view(2, 1, 1, 1)
    together = tv(OPERATOR, y.repeat(2, 1, 1, 1), weights, 50).x
    for index, weight in enumerate((0.02, 2.0)):
        torch.testing.assert_close(
            together[index : index + 1], tv(OPERATOR, y, weight, 50).x, atol=1e-5, rtol=1e-5
        )
    assert variation(together[1:]) < variation(together[:1])


def test_batch_is_loop(y):
    assert_batch_is_loop(lambda part: tv(OPERATOR, part, WEIGHT, 20).x, torch.cat([y, 2 * y]), 1e-5)


def test_piccs_with_the_truth_as_prior_returns_nearly_the_truth(y):
    start = norm(tv(OPERATOR, y, WEIGHT).x - TRUTH)
    assert norm(piccs(OPERATOR, y, TRUTH, WEIGHT, 0.9, 300).x - TRUTH) < 0.25 * start


def test_piccs_without_noise_and_the_truth_as_prior_stays_there():
    prior = smooth_phantom(32)
    found = piccs(OPERATOR, OPERATOR(prior), prior, 1e-3, 0.9, 100).x
    torch.testing.assert_close(found, prior, atol=5e-3, rtol=0)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_piccs_with_a_flat_prior_is_tv(y, solution, share):
    found = piccs(OPERATOR, y, torch.zeros_like(TRUTH), WEIGHT, share, 500).x
    torch.testing.assert_close(found, solution, atol=5e-3, rtol=0)


def test_weight_grows_with_the_noise_of_each_slice():
    weights = weight_for_noise(torch.tensor([0.0, 1e-4, 0.25]))
    assert weights.shape == (3, 1, 1, 1)
    torch.testing.assert_close(weights.flatten(), torch.tensor([0.05, 0.057, 0.4]))
