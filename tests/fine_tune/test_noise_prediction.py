"""What a network's prediction is held against, by what it predicts."""

from __future__ import annotations

import pytest
import torch

from fine_tune.noise_prediction import prediction_error, prediction_merit, stratified_times
from resample_ct.prior.schedule import NoiseSchedule

SCHEDULE = NoiseSchedule()
TIMES = torch.tensor([3, 40, 400, 990])


def clean_and_noise():
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(4, 2, 8, 8, generator=generator) for _ in range(2))


def error_of(prediction, predicted):
    clean, noise = clean_and_noise()
    return prediction_error(prediction, lambda *_: predicted, SCHEDULE, clean, TIMES, noise)


def test_noise_and_velocity_are_judged_as_they_are():
    clean, noise = clean_and_noise()
    velocity = SCHEDULE.velocity(clean, noise, TIMES)
    for prediction, wanted in (("noise", noise), ("velocity", velocity)):
        assert error_of(prediction, wanted) < 1e-10
        torch.testing.assert_close(error_of(prediction, wanted + 0.5), torch.tensor(0.25))


def test_clean_is_judged_by_the_velocity_it_implies_up_to_a_weight_of_20():
    clean, noise = clean_and_noise()
    assert error_of("clean", clean) == 0
    a = SCHEDULE.alpha_bar_at(TIMES, clean)
    assert [float(1 / (1 - one)) < 20 for one in a] == [False, True, True, True]
    # By x_0 = 0: v = (sqrt(abar) x_t - x_0) / sqrt(1 - abar).
    implied = a.sqrt() * SCHEDULE.add_noise(clean, noise, TIMES) / (1 - a).sqrt()
    apart = (implied - SCHEDULE.velocity(clean, noise, TIMES)).square()
    apart[0] = 20 * clean[0].square()
    torch.testing.assert_close(error_of("clean", torch.zeros_like(clean)), apart.mean())


@pytest.mark.parametrize("size", [1, 8])
def test_times_come_from_as_many_strata_as_there_are_slices(size):
    times = stratified_times(size, SCHEDULE, torch.Generator().manual_seed(0))
    assert [int(t) * size // 1000 for t in times] == list(range(size))


def test_merit_is_the_same_at_every_call_and_better_for_the_better_network():
    held_out, _ = clean_and_noise()
    network = torch.nn.Conv2d(2, 2, 1)
    network.forward = lambda noisy, t: (1 - 1e-3 * t.view(-1, 1, 1, 1)) * noisy
    first, again = (prediction_merit("clean", network, SCHEDULE, held_out) for _ in range(2))
    network.forward = lambda noisy, t: noisy
    assert first == again > prediction_merit("clean", network, SCHEDULE, held_out)
