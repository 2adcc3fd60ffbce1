"""Every solver says what it left, how long it took and why it stopped."""

from __future__ import annotations

import pytest
import torch
from laws import Matrix, shepp_like

from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.solvers.adam import adam
from resample_ct.solvers.cg import cgls, pseudo_inverse_step, regularised_data_consistency
from resample_ct.solvers.gauss_newton import gauss_newton
from resample_ct.solvers.sirt import sirt
from resample_ct.solvers.solution import mean_square
from resample_ct.solvers.tv import piccs, tv

OPERATOR = SparseProjector(ParallelBeam.uniform(16, 6))
TRUTH = torch.cat([shepp_like(16), 0.5 * shepp_like(16)])
NOISE = torch.randn(2, 1, *OPERATOR.range_shape, generator=torch.Generator().manual_seed(0))
Y = OPERATOR(TRUTH) + 0.1 * NOISE
START = TRUTH + 0.1

SOLVERS = {
    "cgls": lambda: cgls(OPERATOR, Y, 4),
    "pseudo-inverse": lambda: pseudo_inverse_step(OPERATOR, Y, START, 4, 0.9),
    "ridge": lambda: regularised_data_consistency(OPERATOR, Y, START, 0.5, 4),
    "sirt": lambda: sirt(OPERATOR, Y, 4),
    "tv": lambda: tv(OPERATOR, Y, 0.1, 4),
    "piccs": lambda: piccs(OPERATOR, Y, START, 0.1, 0.5, 4),
    "adam": lambda: adam(lambda x: mean_square(OPERATOR(x) - Y), START, torch.zeros(2), 4, 1e-3),
    "gauss-newton": lambda: gauss_newton(OPERATOR, Y, START, torch.zeros(2), 4, 4, 1e-3),
}


@pytest.mark.parametrize("name", SOLVERS)
def test_residual_is_that_of_the_image_and_iterations_are_those_asked_for(name):
    found = SOLVERS[name]()
    # CGLS updates its residual, which drifts from the image's by its rounding.
    torch.testing.assert_close(found.residual, mean_square(OPERATOR(found.x) - Y), rtol=1e-3, atol=1e-6)
    assert found.iterations == (4, 4) and found.stopped == ("iterations",) * 2


def test_conjugate_gradients_have_converged_once_every_direction_is_spent():
    square = Matrix(torch.diag(torch.tensor([1.0, 2.0, 3.0, 4.0])).numpy(), (2, 2), (2, 2))
    y = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    assert cgls(square, y, 2).stopped == ("iterations",)
    assert cgls(square, y, 8).stopped == ("converged",)


@pytest.mark.parametrize("solver", ["adam", "gauss-newton"])
def test_slice_that_reaches_the_noise_level_says_so_while_the_other_goes_on(solver):
    tau = torch.tensor([1e9, 0.0])
    if solver == "adam":
        found = adam(lambda x: mean_square(OPERATOR(x) - Y), START, tau, 3, 1e-3)
    else:
        found = gauss_newton(OPERATOR, Y, START, tau, 3, 3, 1e-3)
    assert found.stopped == ("noise level", "iterations") and found.iterations == (0, 3)


def test_gauss_newton_that_finds_nothing_better_has_converged():
    def model(x):
        return torch.cat([x, torch.zeros_like(x)], dim=1)

    y = torch.ones(1, 2, 2, 2)  # whose second half no x gives
    found = gauss_newton(model, y, torch.zeros(1, 1, 2, 2), torch.zeros(1), 500, 5, 0.0)
    assert found.stopped == ("converged",) and found.iterations[0] < 500
