"""The network of FBP-UNet (Jin, McCann, Froustey and Unser 2017) on MONAI's BasicUNet.

As published: four levels down, two 3 x 3 convolutions with ReLU a level, the input added to the output.
Two deviations: group instead of batch norm, so that a result does not depend on its batch, and narrower
levels, so that it trains on a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from monai.networks.nets import BasicUNet
from torch import nn


@dataclass(frozen=True)
class ResidualUNetSettings:
    """Features of each level from the finest, and groups of the normalisation."""

    features: tuple[int, int, int, int, int] = (24, 48, 96, 192, 384)
    norm_groups: int = 8

    def build(self) -> ResidualUNet:
        """The network, untrained."""
        return ResidualUNet(self)


class ResidualUNet(nn.Module):
    """x + UNet(x) on (B, 1, H, W) relative attenuation; H and W multiples of 16."""

    def __init__(self, settings: ResidualUNetSettings) -> None:
        super().__init__()
        self.unet = BasicUNet(
            spatial_dims=2,
            in_channels=1,
            out_channels=1,
            features=(*settings.features, settings.features[0]),
            act=("relu", {"inplace": True}),
            norm=("group", {"num_groups": settings.norm_groups}),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The image without its streaks, not clipped."""
        cleaned: torch.Tensor = image + self.unet(image)
        return cleaned
