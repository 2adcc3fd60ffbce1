"""The random steps: the paper's lemma, theorem and limits by Monte Carlo, the rest exactly."""

from __future__ import annotations

import math

import pytest
import torch

from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.randomness import randn
from resample_ct.reconstruct.sampling import (
    ddim_step,
    resample_variance,
    stochastic_encode,
    stochastic_resample,
)

MANY = (1, 1, 300, 300)
FEW = 5 / math.sqrt(MANY[2] * MANY[3])  # five standard errors of a mean, in standard deviations
A, NEXT = 0.4, 0.55
CONSISTENT, UNCONDITIONAL = torch.full(MANY, 1.5), torch.full(MANY, -0.5)


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def normal(seed, shape=MANY):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_ddim_without_eta_is_deterministic():
    steps = [ddim_step(CONSISTENT, UNCONDITIONAL, A, NEXT, 0.0, generators(seed)) for seed in (0, 1)]
    assert torch.equal(*steps)


def test_ddim_without_eta_lands_on_the_forward_process():
    clean, noise = normal(0), normal(1)
    time = torch.tensor([400])
    schedule = NoiseSchedule()
    a = float(schedule.alpha_bar[400])
    step = ddim_step(clean, noise, 0.1, a, 0.0, generators(0))
    torch.testing.assert_close(step, schedule.add_noise(clean, noise, time))


@pytest.mark.parametrize("eta", [0.5, 1.0])
def test_ddim_with_eta_adds_that_share_of_ddpms_noise(eta):
    step = ddim_step(torch.zeros(MANY), torch.zeros(MANY), A, NEXT, eta, generators(0))
    expected = eta**2 * (1 - NEXT) / (1 - A) * (1 - A / NEXT)
    assert float(step.var()) == pytest.approx(expected, rel=FEW * math.sqrt(2))


@pytest.mark.parametrize("eta", [0.0, 0.7, 1.0])
def test_ddim_keeps_the_noise_level_of_its_time(eta):
    step = ddim_step(torch.zeros(MANY), normal(3), A, NEXT, eta, generators(0))
    assert float(step.var()) == pytest.approx(1 - NEXT, rel=2 * FEW)


def test_ddim_ends_at_the_clean_latent():
    assert torch.equal(ddim_step(CONSISTENT, UNCONDITIONAL, A, 1.0, 1.0, generators(0)), CONSISTENT)


@pytest.mark.parametrize("rule, denominator", [("paper", 0.4), ("code", 0.6)])
def test_variance_rules(rule, denominator):
    expected = 40 * (1 - 0.55) / denominator * (1 - 0.4 / 0.55)
    assert resample_variance(40, 0.4, 0.55, rule) == pytest.approx(expected)


def test_resampled_has_the_mean_and_variance_of_proposition_2():
    z = stochastic_resample(CONSISTENT, UNCONDITIONAL, A, 0.3, generators(0))
    mean = (0.3 * A**0.5 * 1.5 + (1 - A) * -0.5) / (0.3 + 1 - A)
    variance = 0.3 * (1 - A) / (0.3 + 1 - A)
    assert float(z.mean()) == pytest.approx(mean, abs=FEW * variance**0.5)
    assert float(z.var()) == pytest.approx(variance, rel=FEW * math.sqrt(2))


def test_encoded_has_the_mean_and_variance_of_proposition_1():
    z = stochastic_encode(CONSISTENT, A, generators(0))
    assert float(z.mean()) == pytest.approx(A**0.5 * 1.5, abs=FEW)
    assert float(z.var()) == pytest.approx(1 - A, rel=FEW * math.sqrt(2))


@pytest.mark.parametrize("variance", [0.01, 0.3, 5.0])
def test_lemma_1_resampling_spreads_less_than_encoding(variance):
    resampled = stochastic_resample(CONSISTENT, UNCONDITIONAL, A, variance, generators(0))
    encoded = stochastic_encode(CONSISTENT, A, generators(1))
    assert float(resampled.var()) < (1 - FEW) * float(encoded.var())


@pytest.mark.parametrize("variance", [0.01, 0.3, 5.0])
def test_theorem_1_resampling_what_is_consistent_keeps_the_mean_of_the_unconditional(variance):
    # Already consistent: zhat(y) = zhat, of which z' is a noisy copy at this time.
    unconditional = A**0.5 * CONSISTENT + (1 - A) ** 0.5 * normal(2)
    resampled = stochastic_resample(CONSISTENT, unconditional, A, variance, generators(0))
    assert float(resampled.mean()) == pytest.approx(float(unconditional.mean()), abs=2 * FEW)


def test_no_variance_gives_the_unconditional_sample():
    unconditional = normal(2)
    z = stochastic_resample(CONSISTENT, unconditional, A, 0.0, generators(0))
    torch.testing.assert_close(z, unconditional)


def test_endless_variance_gives_stochastic_encoding():
    z = stochastic_resample(CONSISTENT, UNCONDITIONAL, A, 1e9, generators(0))
    torch.testing.assert_close(z, stochastic_encode(CONSISTENT, A, generators(0)))


def test_at_the_clean_time_the_consistent_latent_is_taken():
    assert torch.equal(
        stochastic_resample(CONSISTENT, UNCONDITIONAL, 1.0, 0.0, generators(0)), CONSISTENT
    )


def test_slice_draws_the_same_noise_in_every_batch():
    together = randn(torch.Size((3, 4, 8, 8)), generators(5, 6, 7))
    assert torch.equal(together[1:2], randn(torch.Size((1, 4, 8, 8)), generators(6)))


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_every_slice_needs_one_generator(seeds):
    with pytest.raises(ValueError, match="zip"):
        randn(torch.Size((2, 4, 8, 8)), generators(*seeds))
