"""Gauss-Newton on models whose answer is known."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from resample_ct.solvers.gauss_newton import gauss_newton

NEVER = torch.zeros(2)


def generator():
    return torch.Generator().manual_seed(0)


def zeros():
    return torch.zeros(2, 1, 2, 2, dtype=torch.float64)


MATRIX = torch.randn(4, 4, generator=generator(), dtype=torch.float64)
TRUTH = torch.rand(2, 1, 2, 2, generator=generator(), dtype=torch.float64)


def linear(z):
    return (z.flatten(1) @ MATRIX.T).view(-1, 1, 2, 2)


def bent(z):
    return linear(z) + 0.3 * linear(z) ** 2 + 0.1 * z**3


def misfit(model, z):
    return (model(z) - model(TRUTH)).square().mean(dim=(1, 2, 3))


@pytest.mark.parametrize("damping", [0.0, 0.5])
def test_one_step_solves_a_linear_model_as_far_as_damping_lets_it(damping):
    found = gauss_newton(linear, linear(TRUTH), zeros(), NEVER, 8, 8, damping).x
    normal = MATRIX.T @ MATRIX + damping * torch.eye(4, dtype=torch.float64)
    expected = torch.linalg.solve(normal, MATRIX.T @ linear(TRUTH).flatten(1).T).T
    torch.testing.assert_close(found.flatten(1), expected, rtol=1e-8, atol=1e-8)


def test_a_bent_model_is_solved_in_a_few_steps():
    residuals = [
        misfit(bent, gauss_newton(bent, bent(TRUTH), 0.8 * TRUTH, NEVER, 8 * steps, 8, 1e-6).x)
        for steps in (0, 1, 2, 8)
    ]
    for before, after in pairwise(residuals):
        assert (after < 0.5 * before).all()
    assert (residuals[-1] < 1e-8).all()


def test_a_step_that_raises_the_residual_is_halved_until_it_falls():
    def cliff(z):
        return torch.atan(4 * z)  # from 1 an undamped step lands far on the other side, ever farther

    start, y = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    one = gauss_newton(cliff, y, start, torch.zeros(1), 1, 1, 0.0).x
    step = -17 / 4 * torch.atan(torch.tensor(4.0))  # -atan(4 z) / its slope at 1
    torch.testing.assert_close(one, start + step / 4, rtol=1e-5, atol=0)  # at a half it is beyond -1
    assert gauss_newton(cliff, y, start, torch.zeros(1), 20, 1, 0.0).x.abs() < 1e-6


def test_slice_stops_at_its_tau_and_does_not_depend_on_the_other():
    y, start = bent(TRUTH), 0.5 * TRUTH
    tau = torch.stack([misfit(bent, start)[0] + 1, torch.tensor(0.0)])
    together = gauss_newton(bent, y, start, tau, 24, 8, 1e-3).x
    assert torch.equal(together[0], start[0])
    alone = gauss_newton(bent, y[1:], start[1:], tau[1:], 24, 8, 1e-3).x
    torch.testing.assert_close(together[1:], alone)
    assert misfit(bent, together)[1] < misfit(bent, start)[1]


def test_start_is_left_as_it_was():
    start = 0.5 * TRUTH
    before = start.clone()
    gauss_newton(bent, bent(TRUTH), start, NEVER, 8, 4, 1e-3)
    assert torch.equal(start, before) and not start.requires_grad


def test_slice_that_cannot_come_nearer_costs_no_more():
    calls = []

    def model(z):
        calls.append(z)
        return torch.cat([z, torch.zeros_like(z)], dim=1)

    y = torch.cat([TRUTH, TRUTH], dim=1)  # whose second half no z gives
    found = gauss_newton(model, y, TRUTH + 1.0, NEVER, 500, 5, 0.0).x
    torch.testing.assert_close(found, TRUTH)
    assert len(calls) < 40


def test_both_directions_are_of_the_slope_that_gradients_see():
    """Where the values jump, as at a codebook, the slope goes straight through."""

    def stepped(z):
        smooth = linear(z)
        return smooth + (smooth.round(decimals=1) - smooth).detach()

    found = gauss_newton(stepped, linear(TRUTH), zeros(), NEVER, 8, 8, 0.0).x
    torch.testing.assert_close(found, TRUTH, rtol=0, atol=1e-8)
