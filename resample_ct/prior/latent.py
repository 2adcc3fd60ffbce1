"""The latent prior as reconstruction sees it: encode, decode, predict the noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from monai.networks.nets import AutoencoderKL
from torch import nn

from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.units import Window, from_network, to_network


@dataclass(frozen=True)
class LatentPrior:
    """A latent diffusion model of CT slices.

    Images are (B, 1, H, W) relative attenuation; latents are (B, C, H/4, W/4), divided by `scale`
    so that they have unit standard deviation over the training slices.
    """

    autoencoder: AutoencoderKL
    unet: nn.Module
    scale: float
    schedule: NoiseSchedule
    window: Window
    name: str
    sha256: str

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """E(x): image in [0, 1] to scaled latent."""
        latent: torch.Tensor = self.autoencoder.encode(to_network(image))[0]
        return latent / self.scale

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """D(z): scaled latent to image; not clipped, so that gradients flow everywhere."""
        image: torch.Tensor = self.autoencoder.decode(latent * self.scale)
        return from_network(image)

    def predict_noise(self, latent: torch.Tensor, t: int) -> torch.Tensor:
        """eps_theta(z_t, t)."""
        times = torch.full((latent.shape[0],), t, device=latent.device)
        noise: torch.Tensor = self.unet(latent, times)
        return noise
