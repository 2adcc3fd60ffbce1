"""A latent prior of colour images, such as the released FFHQ model: every channel is its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from resample_ct.prior.latent import LatentPrior
from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.values.units import Window


@dataclass(frozen=True)
class ColourPrior:
    """`LatentPrior` on images (B, image_channels, H, W) in [0, 1]."""

    prior: LatentPrior

    @property
    def schedule(self) -> NoiseSchedule:
        """abar_t."""
        return self.prior.schedule

    @property
    def window(self) -> Window:
        """HU window of the grey prior's slices; it has no meaning for colour."""
        return self.prior.window

    @property
    def unet(self) -> nn.Module:
        """The noise predictor's network."""
        return self.prior.unet

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """E(x): image to scaled latent."""
        return self.prior.encode(image)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """D(z): scaled latent to image, not clipped."""
        return self.prior.decode_channels(latent)

    def predict_noise(self, latent: torch.Tensor, t: int) -> torch.Tensor:
        """eps_theta(z_t, t)."""
        return self.prior.predict_noise(latent, t)
