"""How a network learns what to take from x_t: the noise (paper eq. 3), the velocity, or what is clean."""

from __future__ import annotations

import torch
from torch import nn

from fine_tune.loop import generator_of_step
from resample_ct.prior.schedule import NoiseSchedule, Prediction

_JUDGED_TIMES = 8
# Of the error in x_0, over which the velocity's is 1 / (1 - abar): unbounded as the noise goes.
_LARGEST_WEIGHT = 20.0


def stratified_times(size: int, schedule: NoiseSchedule, generator: torch.Generator) -> torch.Tensor:
    """(size,) times, one from each of as many strata of the schedule, for a calmer gradient."""
    strata = (torch.arange(size) + torch.rand(size, generator=generator)) / size
    return (strata * schedule.train_steps).long()


def prediction_error(
    target: Prediction,
    network: nn.Module,
    schedule: NoiseSchedule,
    clean: torch.Tensor,
    t: torch.Tensor,
    noise: torch.Tensor,
) -> torch.Tensor:
    """Mean squared error of what `network` predicts; of the clean z_0, that of the velocity it implies.

    The network learns z_0 with the velocity's error (Salimans and Ho 2022), which weighs z_0's by
    1 / (1 - abar_t), here up to 20.
    """
    predicted = network(schedule.add_noise(clean, noise, t), t)
    if target == "noise":
        return (predicted - noise).square().mean()
    if target == "velocity":
        return (predicted - schedule.velocity(clean, noise, t)).square().mean()
    weight = (1.0 / (1.0 - schedule.alpha_bar_at(t, clean))).clamp(max=_LARGEST_WEIGHT)
    return (weight * (predicted - clean).square()).mean()


def prediction_merit(
    target: Prediction,
    network: nn.Module,
    schedule: NoiseSchedule,
    held_out: torch.Tensor,
) -> float:
    """Minus the error on held-out x_0, each at eight fixed times with the same noise at every call."""
    generator = generator_of_step(0, 0)
    device = next(network.parameters()).device
    t = torch.linspace(0, schedule.train_steps - 1, _JUDGED_TIMES).long().to(device)
    total = 0.0
    for one in held_out:
        clean = one.expand(_JUDGED_TIMES, -1, -1, -1)
        noise = torch.randn(clean.shape, generator=generator)
        error = prediction_error(target, network, schedule, clean.to(device), t, noise.to(device))
        total += float(error)
    return -total / len(held_out)
