"""Denoisers of one noise level: what plug-and-play methods take for a prior."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
from pydantic import ConfigDict, PositiveInt
from pydantic.dataclasses import dataclass
from torch import nn

from resample_ct.networks.settings import NetworkSettings
from resample_ct.values.units import Window


class DnCNN(nn.Module):
    """DnCNN (Zhang et al. 2017): x - R(x) on (B, 1, H, W), R a stack of convolutions with ReLU.

    Without the published batch normalisation, so that a result and a gradient do not depend on how a
    batch is parted; the authors' later release of the network (KAIR) has none either.

    Args:
        depth: convolutions, 3 x 3.
        features: of each hidden layer.
    """

    def __init__(self, depth: int, features: int) -> None:
        super().__init__()
        widths = [1, *[features] * (depth - 1), 1]
        layers: list[nn.Module] = []
        for number, (into, out) in enumerate(pairwise(widths)):
            if number:
                layers.append(nn.ReLU(inplace=True))
            layer = nn.Conv2d(into, out, 3, padding=1)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            layers.append(layer)
        # Starts near R = 0, so that the first steps do not have to unlearn a random image.
        nn.init.normal_(layer.weight, std=1e-3)
        self.residual = nn.Sequential(*layers)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The image without its noise, not clipped."""
        cleaned: torch.Tensor = image - self.residual(image)
        return cleaned


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DnCNNSettings(NetworkSettings):
    """17 layers of 64 features as published; 32 for a CPU."""

    network: ClassVar[type[nn.Module]] = DnCNN

    depth: PositiveInt = 17
    features: PositiveInt = 32
    architecture: Literal["dncnn"] = "dncnn"

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of DnCNN."""
        return {"depth": self.depth, "features": self.features}


@dataclasses.dataclass(frozen=True)
class Denoiser:
    """A trained denoiser of images (B, 1, H, W) in [0, 1].

    Attributes:
        network: in single precision, for inference.
        sigma: noise that it was trained for, of relative attenuation.
        window: HU window that it was trained for.
        name: of its bundle.
        sha256: of its weights.
    """

    network: nn.Module
    sigma: float
    window: Window
    name: str
    sha256: str

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """The image without noise of `sigma`, not clipped."""
        cleaned: torch.Tensor = self.network(image)
        return cleaned
