"""What every diffusion prior gives to a reconstruction, whichever space it diffuses in."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.values.units import Window


class DiffusionPrior(Protocol):
    """A diffusion model of images; E and D lead to its space and back."""

    @property
    def unet(self) -> nn.Module:
        """The noise predictor's network."""
        ...

    @property
    def schedule(self) -> NoiseSchedule:
        """abar_t."""
        ...

    @property
    def window(self) -> Window:
        """HU window that images are relative to."""
        ...

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """Image (B, C, H, W) in [0, 1] to the space of the diffusion."""
        ...

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Back to the image; differentiable, not clipped."""
        ...

    def predict_noise(self, latent: torch.Tensor, t: int) -> torch.Tensor:
        """eps_theta(z_t, t)."""
        ...
