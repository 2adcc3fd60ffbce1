"""Train the autoencoder: L1 + gradient + squared error on crops, with noise on the latents.

The noise takes the place of a KL term: it makes the decoder smooth around every code, which is what
latent optimisation needs, and costs no second encoder head.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from monai.networks.nets import AutoencoderKL

from fine_tune.augment import augmented_batch
from fine_tune.loop import LoopSettings, train
from resample_ct.prior.networks import AutoencoderSettings
from resample_ct.units import to_network

LATENT_NOISE = 0.1


def _gradients(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def reconstruction_loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 + L1 of the gradients + 10 squared error, on slices in [-1, 1]."""
    difference = output - target
    vertical, horizontal = _gradients(difference)
    edges = vertical.abs().mean() + horizontal.abs().mean()
    return difference.abs().mean() + edges + 10.0 * difference.square().mean()


def train_autoencoder(
    slices: torch.Tensor,
    settings: AutoencoderSettings,
    loop: LoopSettings,
    checkpoint: Path,
    report: Callable[[int, float], None],
    batch: int = 4,
    crop: int = 128,
) -> AutoencoderKL:
    """Train on slices (N, 1, 256, 256) in [0, 1] and return the averaged autoencoder."""
    torch.manual_seed(loop.seed)
    model = settings.build()

    def loss(network: AutoencoderKL, generator: torch.Generator) -> torch.Tensor:
        target = to_network(augmented_batch(slices, batch, crop, generator))
        latent = network.encode(target)[0]
        noise = torch.randn(latent.shape, generator=generator) * LATENT_NOISE
        # Keeps the latents near unit size, so that the noise is neither drowned nor drowning.
        size = (latent.square().mean() - 1.0).square()
        return reconstruction_loss(network.decode(latent + noise), target) + 0.01 * size

    model.load_state_dict(train(model, loss, loop, checkpoint, report))
    return model.eval()
