"""A diffusion prior on pixels: what DPS, MCG, DDRM, DMPS and DDS are built on.

Their authors' networks work on 256 x 256 pixels, for hours on a CPU. Here the same UNet as on the
latents sees the slice with every 4 x 4 block of pixels as 16 channels (space to depth), which loses
nothing: independent noise on the pixels is independent noise on the channels. It predicts the clean
slice: for the noise or the velocity it would have to pass 16 noisy channels on exactly, and what it
misses of them stays in Tweedie's estimate.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.values.units import Window, from_network, to_network


@dataclasses.dataclass(frozen=True)
class PixelPrior:
    """A diffusion model of slices (B, C, H, W); what a latent is elsewhere is 2 x - 1 here."""

    unet: nn.Module
    schedule: NoiseSchedule
    window: Window
    name: str
    sha256: str

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """Image in [0, 1] to the network's [-1, 1]."""
        return to_network(image)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """The network's range to the image; not clipped."""
        return from_network(latent)

    def predict_noise(self, latent: torch.Tensor, t: int) -> torch.Tensor:
        """eps_theta(x_t, t)."""
        return self.schedule.noise_of("clean", latent, self.tweedie(latent, t), t)

    def tweedie(self, latent: torch.Tensor, t: int) -> torch.Tensor:
        """E[x_0 | x_t] in the network's range."""
        clean: torch.Tensor = self.unet(latent, torch.full((len(latent),), t, device=latent.device))
        return clean
