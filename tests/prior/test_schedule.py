"""The noise schedule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from resample_ct.errors import OptionError
from resample_ct.prior.schedule import NoiseSchedule

SCHEDULE = NoiseSchedule()


def test_alpha_bar_is_the_released_models():
    expected = [0.9985, 0.40716, 0.11492, 0.0083341, 1.423e-4]
    np.testing.assert_allclose(SCHEDULE.alpha_bar[[0, 300, 500, 750, 999]], expected, rtol=1e-4)


def test_alpha_bar_falls_and_is_double():
    assert SCHEDULE.alpha_bar.dtype == np.float64
    assert (np.diff(SCHEDULE.alpha_bar) < 0).all()


@pytest.mark.parametrize("t", [0, 300, 999])
def test_tweedie_inverts_the_forward_process_given_its_noise(t):
    generator = torch.Generator().manual_seed(0)
    z, noise = torch.randn(2, 3, 4, 8, 8, generator=generator)
    noisy = SCHEDULE.add_noise(z, noise, torch.full((3,), t))
    torch.testing.assert_close(SCHEDULE.tweedie(noisy, noise, t), z, atol=1e-4, rtol=1e-4)


def test_each_slice_is_noised_to_its_own_time():
    z, noise = torch.ones(2, 4, 8, 8), torch.zeros(2, 4, 8, 8)
    noisy = SCHEDULE.add_noise(z, noise, torch.tensor([0, 999]))[:, 0, 0, 0]
    np.testing.assert_allclose(noisy, SCHEDULE.alpha_bar[[0, 999]] ** 0.5, rtol=1e-5)


def test_noised_unit_latents_keep_unit_variance():
    generator = torch.Generator().manual_seed(0)
    z, noise = torch.randn(2, 4, 1, 100, 100, generator=generator)
    variance = SCHEDULE.add_noise(z, noise, torch.tensor([0, 300, 600, 999])).var(dim=(1, 2, 3))
    torch.testing.assert_close(variance, torch.ones(4), atol=0.08, rtol=0)


@given(st.data())
def test_times_fall_from_the_start_to_above_minus_one(data):
    start = data.draw(st.integers(0, 999))
    steps = data.draw(st.integers(1, start + 1))
    times = SCHEDULE.timesteps(steps, start)
    assert len(times) == steps and times[0] == start
    assert all(later < earlier for earlier, later in zip([*times], [*times[1:], -1], strict=True))
    gaps = -np.diff([*times, -1])
    assert gaps.max() - gaps.min() <= 1 + 1


def test_all_times_are_every_time():
    assert SCHEDULE.timesteps(1000) == list(range(999, -1, -1))


def test_default_start_is_the_last_time():
    assert SCHEDULE.timesteps(4) == [999, 749, 499, 249]


@pytest.mark.parametrize("steps, start", [(0, None), (-1, None), (1001, None), (12, 10)])
def test_more_steps_than_times_or_none_are_refused(steps, start):
    with pytest.raises(OptionError, match=f"steps: found {steps}, expected 1 to"):
        SCHEDULE.timesteps(steps, start)


@pytest.mark.parametrize("start", [-1, 1000, 5000])
def test_start_outside_the_schedule_is_refused(start):
    with pytest.raises(OptionError, match=f"start: found {start}, expected 0 to 999"):
        SCHEDULE.timesteps(1, start)


@pytest.mark.parametrize("t", [50, 500])
def test_the_codes_estimate_leaves_noise_behind(t):
    """By (sqrt(1 - abar) - (1 - abar)) / sqrt(abar) of it."""
    z, noise = torch.zeros(1, 4, 8, 8), torch.ones(1, 4, 8, 8)
    a = float(SCHEDULE.alpha_bar[t])
    noisy = (1 - a) ** 0.5 * noise
    left = ((1 - a) ** 0.5 - (1 - a)) / a**0.5
    torch.testing.assert_close(SCHEDULE.tweedie(noisy, noise, t, "code"), z + left)


def test_noise_velocity_and_clean_latent_tell_the_same():
    generator = torch.Generator().manual_seed(0)
    z, noise = (torch.randn(2, 4, 8, 8, generator=generator) for _ in range(2))
    t = torch.tensor([300, 300])
    velocity = SCHEDULE.velocity(z, noise, t)
    noisy = SCHEDULE.add_noise(z, noise, t)
    for prediction, predicted in {"noise": noise, "velocity": velocity, "clean": z}.items():
        torch.testing.assert_close(SCHEDULE.noise_of(prediction, noisy, predicted, 300), noise)
