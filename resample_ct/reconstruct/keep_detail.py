"""A prior that keeps what its autoencoder loses of an estimate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.values.units import Window


@dataclass(frozen=True)
class DetailKeepingPrior:
    """D'(z) = D(z) + x - D(E(x)): the estimate x itself where the latent is the estimate's.

    The difference of two images of one decoder is free of what neither can show.

    Attributes:
        prior: D, E and the noise predictor.
        detail: (B, 1, H, W) x - D(E(x)).
    """

    prior: DiffusionPrior
    detail: torch.Tensor

    @property
    def unet(self) -> nn.Module:
        """The wrapped prior's network."""
        return self.prior.unet

    @property
    def window(self) -> Window:
        """The wrapped prior's HU window."""
        return self.prior.window

    @property
    def schedule(self) -> NoiseSchedule:
        """The wrapped prior's noise schedule."""
        return self.prior.schedule

    def predict_noise(self, z: torch.Tensor, t: int) -> torch.Tensor:
        """The wrapped prior's prediction of the noise in z."""
        return self.prior.predict_noise(z, t)

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """The wrapped prior's latent of an image."""
        return self.prior.encode(image)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """D'(z)."""
        return self.prior.decode(z) + self.detail
