"""Conjugate gradients against direct solutions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from laws import Matrix, assert_batch_is_loop, norm, smooth_phantom
from scipy.sparse.linalg import lsqr

from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.physics.system_matrix import system_matrix
from resample_ct.solvers.cg import (
    cgls,
    conjugate_gradient,
    pseudo_inverse_step,
    regularised_data_consistency,
)

GEOMETRY = ParallelBeam(8, (0.0, 0.4, 1.1, 1.9, 2.6), 14)
MATRIX = system_matrix(GEOMETRY).toarray().astype(float)
OPERATOR = Matrix(MATRIX, GEOMETRY.image_shape, GEOMETRY.sinogram_shape)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def y():
    """Two noisy sinograms, among whose rays some miss the image."""
    return OPERATOR(normal(0, 2, 1, 8, 8).abs()) + normal(1, 2, 1, 5, 14)


def flat(a):
    return a.flatten(1).numpy()


@pytest.mark.parametrize("iterations", [1, 3, 8])
def test_cgls_takes_the_steps_of_lsqr(y, iterations):
    expected = [lsqr(MATRIX, row, iter_lim=iterations, atol=0, btol=0)[0] for row in flat(y)]
    np.testing.assert_allclose(flat(cgls(OPERATOR, y, iterations).x), expected, atol=1e-8)


def test_cgls_ends_at_the_least_squares_solution(y):
    expected = flat(y) @ np.linalg.pinv(MATRIX).T
    np.testing.assert_allclose(flat(cgls(OPERATOR, y, 400).x), expected, atol=1e-6)


def test_cgls_of_a_thousand_steps_still_holds_in_single_precision(y):
    projector = SparseProjector(GEOMETRY)
    least = norm(OPERATOR(cgls(OPERATOR, y, 400).x) - y)
    assert norm(projector(cgls(projector, y.float(), 1000).x) - y) == pytest.approx(least, rel=1e-3)


def test_residual_of_cgls_never_rises(y):
    residuals = [norm(OPERATOR(cgls(OPERATOR, y, n).x) - y) for n in range(20)]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(residuals))


def test_batch_is_loop(y):
    assert_batch_is_loop(lambda part: cgls(OPERATOR, part, 10).x, y)


def test_solved_slice_stays_while_others_go_on(y):
    y[0] = 0
    solved, other = cgls(OPERATOR, y, 30).x
    assert not solved.any() and other.isfinite().all()


def test_no_iterations_give_zero(y):
    assert not cgls(OPERATOR, y, 0).x.any()


def test_symmetric_system_is_solved_in_as_many_steps_as_it_has_eigenvalues():
    scale = torch.tensor([1.0, 2.0, 2.0, 5.0]).view(1, 1, 2, 2)
    b = normal(0, 3, 1, 2, 2).float()
    torch.testing.assert_close(conjugate_gradient(lambda x: scale * x, b, 3).x, b / scale)


def test_pseudo_inverse_step_is_the_papers_formula(y):
    x = normal(2, 2, 1, 8, 8)
    expected = flat(x) - 0.9 * flat(OPERATOR(x) - y) @ np.linalg.pinv(MATRIX).T
    np.testing.assert_allclose(flat(pseudo_inverse_step(OPERATOR, y, x, 400, 0.9).x), expected, atol=1e-6)


def test_pseudo_inverse_step_leaves_a_consistent_image_alone():
    x = normal(2, 2, 1, 8, 8)
    torch.testing.assert_close(pseudo_inverse_step(OPERATOR, OPERATOR(x), x, 50, 0.9).x, x)


def test_pseudo_inverse_step_of_kappa_takes_that_share_of_the_misfit():
    operator = SparseProjector(ParallelBeam.uniform(32, 6))
    y, x = operator(smooth_phantom(32)), torch.zeros(1, 1, 32, 32)
    misfit = operator(pseudo_inverse_step(operator, y, x, 100, 0.9).x) - y
    assert norm(misfit) == pytest.approx(0.1 * norm(y), rel=0.02)


def test_noise_on_rays_that_miss_the_image_does_not_make_the_step_diverge():
    operator = SparseProjector(ParallelBeam.uniform(32, 6))
    truth = smooth_phantom(32)
    y = operator(truth) + 0.5 * normal(0, 1, 1, *operator.range_shape).float()
    few, many = (norm(operator(pseudo_inverse_step(operator, y, truth, n, 1.0).x) - y) for n in (10, 200))
    assert many <= few <= norm(operator(truth) - y)


@pytest.mark.parametrize("weight", [0.5, torch.tensor([0.1, 20.0]).view(2, 1, 1, 1)])
def test_regularised_data_consistency_solves_its_normal_equations(y, weight):
    x = normal(2, 2, 1, 8, 8)
    v = regularised_data_consistency(OPERATOR, y, x, weight, 100).x
    gradient = OPERATOR.T(OPERATOR(v) - y) + weight * (v - x)
    assert norm(gradient) < 1e-8 * norm(OPERATOR.T(OPERATOR(x) - y))


def test_heavy_weight_keeps_the_priors_image(y):
    x = normal(2, 2, 1, 8, 8)
    torch.testing.assert_close(
        regularised_data_consistency(OPERATOR, y, x, 1e6, 20).x, x, atol=1e-3, rtol=0
    )
