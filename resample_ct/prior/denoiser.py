"""Denoisers of one noise level: what plug-and-play methods take for a prior."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import nn

from resample_ct.prior.residual_unet import ResidualUNet, ResidualUNetSettings
from resample_ct.units import Window


@dataclass(frozen=True)
class DnCNNSettings:
    """DnCNN (Zhang et al. 2017): 17 layers of 64 features as published; 32 for a CPU.

    Attributes:
        depth: convolutions, 3 x 3.
        features: of each hidden layer.
        sigma: noise that it is trained for, of relative attenuation in [0, 1].
    """

    depth: int = 17
    features: int = 32
    sigma: float = 0.05

    def build(self) -> DnCNN:
        """The network, untrained."""
        return DnCNN(self)


class DnCNN(nn.Module):
    """x - R(x) on (B, 1, H, W), R a plain stack of convolutions that learns the noise.

    Without the published batch normalisation, so that a result and a gradient do not depend on how a
    batch is parted; the authors' later release of the network (KAIR) folds it away too.
    """

    def __init__(self, settings: DnCNNSettings) -> None:
        super().__init__()
        widths = [1, *[settings.features] * (settings.depth - 1), 1]
        layers: list[nn.Module] = []
        for number, (into, out) in enumerate(pairwise(widths)):
            if number:
                layers.append(nn.ReLU(inplace=True))
            layer = nn.Conv2d(into, out, 3, padding=1, bias=True)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            layers.append(layer)
        # Starts near R = 0, so that the first steps do not have to unlearn a random image.
        nn.init.normal_(layer.weight, std=1e-3)
        self.residual = nn.Sequential(*layers)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The image without its noise, not clipped."""
        cleaned: torch.Tensor = image - self.residual(image)
        return cleaned


@dataclass(frozen=True)
class UNetDenoiserSettings:
    """FBP-UNet's network, trained on noise instead; `sigma` as in `DnCNNSettings`."""

    unet: ResidualUNetSettings = field(default_factory=ResidualUNetSettings)
    sigma: float = 0.05

    def build(self) -> ResidualUNet:
        """The network, untrained."""
        return self.unet.build()


@dataclass(frozen=True)
class Denoiser:
    """A trained denoiser of images (B, 1, H, W) in [0, 1]; `sigma` is the noise it knows."""

    network: nn.Module
    sigma: float
    window: Window
    name: str
    sha256: str

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """The image without noise of `sigma`, not clipped."""
        cleaned: torch.Tensor = self.network(image)
        return cleaned
