"""Hard data consistency in pixels and in latents."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from laws import norm, smooth_phantom

from resample_ct.errors import OptionError
from resample_ct.operators.base import LinearOperator, Operator
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.consistency import optimise_latent, optimise_pixels
from resample_ct.reconstruct.rules import Descent, Piccs, PseudoInverse, Ridge, rule_text
from resample_ct.solvers import gauss_newton as gauss_newton_module
from resample_ct.solvers.cg import pseudo_inverse_step, regularised_data_consistency
from resample_ct.solvers.tv import piccs, weight_for_noise

OPERATOR = SparseProjector(ParallelBeam.uniform(32, 8))
TRUTH = smooth_phantom(32).repeat(2, 1, 1, 1)
PRIOR_IMAGE = torch.nn.functional.avg_pool2d(TRUTH, 5, 1, 2) - 0.01
RULES = [PseudoInverse(0.9, 40), Ridge(0.5, 40), Piccs(0.5, 40)]


def measured(*sigmas):
    sigma = torch.tensor(sigmas).view(2, 1, 1, 1)
    noise = torch.randn(2, 1, *OPERATOR.range_shape, generator=torch.Generator().manual_seed(0))
    return Measurement(OPERATOR, OPERATOR(TRUTH) + sigma * noise, sigma.square().flatten())


@pytest.mark.parametrize("rule", RULES, ids=rule_text)
def test_every_rule_nears_the_measurement_and_the_truth(rule):
    measurement = measured(0.01, 0.01)
    found = optimise_pixels(measurement, PRIOR_IMAGE, rule).x
    assert (measurement.residual(found) < 0.1 * measurement.residual(PRIOR_IMAGE)).all()
    assert norm(found - TRUTH) < norm(PRIOR_IMAGE - TRUTH)


def test_pseudo_inverse_is_the_papers_step():
    m = measured(0.01, 0.01)
    expected = pseudo_inverse_step(OPERATOR, m.sinogram, PRIOR_IMAGE, 20, 0.9).x
    assert torch.equal(optimise_pixels(m, PRIOR_IMAGE, PseudoInverse(0.9, 20)).x, expected)


def test_weight_of_ridge_is_stated_for_a_sigma_of_a_hundredth_and_grows_with_the_variance():
    m = measured(0.01, 0.1)
    weights = torch.tensor([0.5, 50.0]).view(2, 1, 1, 1)
    expected = regularised_data_consistency(OPERATOR, m.sinogram, PRIOR_IMAGE, weights, 20).x
    torch.testing.assert_close(optimise_pixels(m, PRIOR_IMAGE, Ridge(0.5, 20)).x, expected)


def test_piccs_takes_its_weight_from_the_noise_and_its_share_as_given():
    m = measured(0.01, 0.1)
    weights = weight_for_noise(m.noise_variance)
    expected = piccs(OPERATOR, m.sinogram, PRIOR_IMAGE.clamp(min=0), weights, 0.5, 20).x
    assert torch.equal(optimise_pixels(m, PRIOR_IMAGE, Piccs(0.5, 20)).x, expected)


def test_descent_nears_a_nonlinear_measurement_and_stops_at_the_noise():
    class Squared(Operator):
        domain_shape = range_shape = (32, 32)

        def __call__(self, x):
            return x.square()

    noise = 0.01 * torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    m = Measurement(Squared(), TRUTH.square() + noise, torch.full((2,), 1e-4))
    found = optimise_pixels(m, PRIOR_IMAGE + 0.1, Descent(1e-2, 200))
    assert found.stopped == ("noise level",) * 2 and max(found.iterations) < 200
    torch.testing.assert_close(found.residual, m.residual(found.x))
    found = found.x
    assert norm(found - TRUTH) < 0.7 * norm(PRIOR_IMAGE + 0.1 - TRUTH)
    assert (m.residual(found) <= 1e-4).all() and (m.residual(found) > 0.5e-4).all()


def test_only_descent_takes_a_nonlinear_operator():
    class Cubed(Operator):
        domain_shape = range_shape = (32, 32)

        def __call__(self, x):
            return x**3

    m = Measurement(Cubed(), TRUTH**3, torch.zeros(2))
    with pytest.raises(OptionError, match="operator Cubed: not linear"):
        optimise_pixels(m, PRIOR_IMAGE, Ridge(0.5, 2))


@pytest.fixture(scope="module")
def latent_problem(tiny_prior):
    """Two slices that the tiny prior can express exactly, and a start beside their latents."""
    operator = make_projector(ParallelBeam.uniform(256, 4))
    latent = torch.randn(2, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        measurement = Measurement(operator, operator(tiny_prior.decode(latent)), torch.zeros(2))
    return tiny_prior, measurement, 0.5 * latent


def residual(prior, measurement, latent):
    with torch.no_grad():
        return measurement.residual(prior.decode(latent))


NEVER = torch.zeros(2)


@pytest.mark.parametrize("rule", ["adam", "gauss-newton"])
def test_latent_optimisation_lowers_the_residual(latent_problem, rule):
    prior, measurement, start = latent_problem
    found = optimise_latent(prior, measurement, start, NEVER, 10, 2e-2, rule).x
    assert (residual(prior, measurement, found) < 0.5 * residual(prior, measurement, start)).all()


def test_one_iteration_is_one_step(latent_problem):
    prior, measurement, start = latent_problem
    found = optimise_latent(prior, measurement, start, NEVER, 1, 1e-2).x
    assert (residual(prior, measurement, found) < residual(prior, measurement, start)).all()
    assert float((found - start).abs().max()) == pytest.approx(1e-2, rel=1e-3)  # Adam's first step


def test_step_too_long_is_not_taken_over(latent_problem):
    prior, measurement, start = latent_problem
    found = optimise_latent(prior, measurement, start, NEVER, 3, 1e4).x
    assert (residual(prior, measurement, found) <= residual(prior, measurement, start)).all()


def test_gauss_newton_is_nearer_after_as_many_iterations(latent_problem):
    prior, measurement, start = latent_problem
    slow, fast = (
        residual(prior, measurement, optimise_latent(prior, measurement, start, NEVER, 20, 2e-2, rule).x)
        for rule in ("adam", "gauss-newton")
    )
    assert (fast < slow).all()


@pytest.mark.parametrize("iterations, expected", [(5, [5]), (15, [10, 5]), (20, [10, 10])])
def test_iterations_of_gauss_newton_are_ten_to_a_linearisation(
    latent_problem, monkeypatch, iterations, expected
):
    prior, measurement, start = latent_problem
    seen = []
    solve = gauss_newton_module.conjugate_gradient

    def note(apply, b, count):
        seen.append(count)
        return solve(apply, b, count)

    monkeypatch.setattr(gauss_newton_module, "conjugate_gradient", note)
    optimise_latent(prior, measurement, start, NEVER, iterations, 2e-2, "gauss-newton")
    assert seen == expected


def test_gauss_newton_does_not_depend_on_the_operators_scale(latent_problem):
    prior, measurement, start = latent_problem
    inner = measurement.linear

    class Scaled(LinearOperator):
        domain_shape, range_shape = inner.domain_shape, inner.range_shape

        def forward(self, x):
            return 8 * inner.forward(x)

        def adjoint(self, y):
            return 8 * inner.adjoint(y)

    scaled = Measurement(Scaled(), 8 * measurement.sinogram, torch.zeros(2))
    found = optimise_latent(prior, measurement, start, NEVER, 5, 2e-2, "gauss-newton").x
    again = optimise_latent(prior, scaled, start, NEVER, 5, 2e-2, "gauss-newton").x
    torch.testing.assert_close(found, again, atol=1e-3, rtol=0)


def test_gauss_newton_in_bfloat16_still_lowers_the_residual(latent_problem):
    prior, measurement, start = latent_problem
    rounded = replace(prior, precision="bfloat16")
    found = optimise_latent(rounded, measurement, start, NEVER, 10, 2e-2, "gauss-newton").x
    assert (residual(prior, measurement, found) < 0.5 * residual(prior, measurement, start)).all()


@pytest.mark.parametrize("rule", ["adam", "gauss-newton"])
def test_no_iterations_return_the_latent(latent_problem, rule):
    prior, measurement, start = latent_problem
    assert torch.equal(optimise_latent(prior, measurement, start, NEVER, 0, 1e-2, rule).x, start)


def test_slice_within_its_tau_stays_while_the_other_goes_on(latent_problem):
    prior, measurement, start = latent_problem
    found = optimise_latent(prior, measurement, start, torch.tensor([1e9, 0.0]), 3, 2e-2).x
    assert torch.equal(found[0], start[0]) and not torch.equal(found[1], start[1])


def test_slice_stops_at_the_first_latent_within_its_tau(latent_problem):
    prior, measurement, start = latent_problem
    first = residual(prior, measurement, start)
    tau = torch.stack([0.9 * first[0], 0 * first[1]])
    long = optimise_latent(prior, measurement, start, tau, 10, 2e-2).x
    stopped = residual(prior, measurement, long)[0]
    steps = [
        residual(prior, measurement, optimise_latent(prior, measurement, start, NEVER, n, 2e-2).x)[0]
        for n in range(1, 6)
    ]
    expected = next(value for value in steps if value <= tau[0])
    torch.testing.assert_close(stopped, expected)


def test_slice_does_not_depend_on_its_batch(latent_problem):
    prior, measurement, start = latent_problem
    tau = 0.9 * residual(prior, measurement, start) * torch.tensor([1.0, 0.0])
    together = optimise_latent(prior, measurement, start, tau, 5, 2e-2).x
    for i in range(2):
        part = Measurement(measurement.operator, measurement.sinogram[i : i + 1], torch.zeros(1))
        alone = optimise_latent(prior, part, start[i : i + 1], tau[i : i + 1], 5, 2e-2).x
        torch.testing.assert_close(together[i : i + 1], alone, atol=5e-3, rtol=0)  # a quarter of one step


def test_start_is_left_as_it_was(latent_problem):
    prior, measurement, start = latent_problem
    before = start.clone()
    optimise_latent(prior, measurement, start, NEVER, 2, 2e-2)
    assert torch.equal(start, before) and not start.requires_grad
