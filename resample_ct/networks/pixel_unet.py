"""A UNet on the pixels of a slice, which it sees as blocks."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from monai.networks.nets import DiffusionModelUNet
from pydantic import ConfigDict, PositiveInt
from pydantic.dataclasses import dataclass
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from resample_ct.networks.settings import DiffusionUNetSettings


class PixelUNet(nn.Module):
    """The clean slice of x_t, (B, C, H, W), by MONAI's DiffusionModelUNet on its blocks as channels.

    Args:
        block: side of the pixel blocks that become channels.
        image_channels: C.
        **arguments: of DiffusionModelUNet.
    """

    def __init__(self, block: int, image_channels: int, **arguments: Any) -> None:
        super().__init__()
        self.block = block
        channels = image_channels * block**2
        self.unet = DiffusionModelUNet(
            spatial_dims=2, in_channels=channels, out_channels=channels, **arguments
        )

    def forward(self, image: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """The predicted x_0, in the shape of `image`; times (B,)."""
        return pixel_shuffle(self.unet(pixel_unshuffle(image, self.block), times), self.block)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PixelUNetSettings(DiffusionUNetSettings):
    """The predictor of x_0 on pixels; `channels` are those of each level, from H / block down."""

    network: ClassVar[type[nn.Module]] = PixelUNet

    block: PositiveInt = 4
    image_channels: PositiveInt = 1
    channels: tuple[PositiveInt, ...] = (64, 96, 128, 192)
    num_res_blocks: PositiveInt = 1
    attention_levels: tuple[bool, ...] = (False, False, True, True)
    head_channels: PositiveInt = 32
    norm_groups: PositiveInt = 32
    architecture: Literal["pixel-clean-unet"] = "pixel-clean-unet"

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of PixelUNet."""
        return {"block": self.block, "image_channels": self.image_channels, **self.levels()}
