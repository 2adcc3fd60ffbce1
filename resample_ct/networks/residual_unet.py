"""The network of FBP-UNet (Jin, McCann, Froustey and Unser 2017) on MONAI's BasicUNet.

As published: four levels down, two 3 x 3 convolutions with ReLU a level, the input added to the output.
Two deviations: group instead of batch norm, so that a result does not depend on its batch, and narrower
levels, so that it trains on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from monai.networks.nets import BasicUNet
from pydantic import ConfigDict, PositiveInt
from pydantic.dataclasses import dataclass
from torch import nn

from resample_ct.networks.settings import NetworkSettings


class ResidualUNet(nn.Module):
    """x + UNet(x) on (B, 1, H, W) relative attenuation; H and W multiples of 16.

    Args:
        features: of each of the five levels, from the finest.
        norm_groups: of every group norm.
    """

    def __init__(self, features: Sequence[int], norm_groups: int) -> None:
        super().__init__()
        self.unet = BasicUNet(
            spatial_dims=2,
            in_channels=1,
            out_channels=1,
            features=(*features, features[0]),
            act=("relu", {"inplace": True}),
            norm=("group", {"num_groups": norm_groups}),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The image without its streaks, not clipped."""
        cleaned: torch.Tensor = image + self.unet(image)
        return cleaned


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ResidualUNetSettings(NetworkSettings):
    """Figures of the shipped FBP-UNet."""

    network: ClassVar[type[nn.Module]] = ResidualUNet

    features: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (
        24,
        48,
        96,
        192,
        384,
    )
    norm_groups: PositiveInt = 8
    architecture: Literal["residual-unet"] = "residual-unet"

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of ResidualUNet."""
        return {"features": list(self.features), "norm_groups": self.norm_groups}
