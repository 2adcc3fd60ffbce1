"""Train the diffusion UNet to predict the noise on scaled latents (paper eq. 3)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from fine_tune.loop import LoopSettings, train
from resample_ct.prior.networks import UNetSettings
from resample_ct.prior.schedule import NoiseSchedule


def train_unet(
    latents: torch.Tensor,
    settings: UNetSettings,
    schedule: NoiseSchedule,
    loop: LoopSettings,
    checkpoint: Path,
    report: Callable[[int, float], None],
    batch: int = 8,
) -> nn.Module:
    """Train on latents (N, C, 64, 64) of unit standard deviation; returns the averaged UNet."""
    torch.manual_seed(loop.seed)
    model = settings.build()

    def loss(network: nn.Module, generator: torch.Generator) -> torch.Tensor:
        index = torch.randint(len(latents), (batch,), generator=generator)
        clean = latents[index].float()
        # Stratified times: every part of the schedule in every batch, for a calmer gradient.
        offset = torch.rand(batch, generator=generator)
        t = ((torch.arange(batch) + offset) / batch * schedule.train_steps).long()
        noise = torch.randn(clean.shape, generator=generator)
        noisy = schedule.add_noise(clean, noise, t)
        return (network(noisy, t) - noise).square().mean()

    model.load_state_dict(train(model, loss, loop, checkpoint, report))
    return model.eval()
