"""A diffusion prior on pixels: what DPS, MCG, DDRM, DMPS and DDS are built on.

Their authors' networks work on 256 x 256 pixels, for hours on a CPU. Here the same UNet as on the
latents sees the slice with every 4 x 4 block of pixels as 16 channels (space to depth), which loses
nothing: independent noise on the pixels is independent noise on the channels. It predicts the clean
slice: for the noise or the velocity it would have to pass 16 noisy channels on exactly, and what it
misses of them stays in Tweedie's estimate.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Literal

import torch
from monai.networks.nets import DiffusionModelUNet
from pydantic import ConfigDict, PositiveInt
from pydantic.dataclasses import dataclass
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from resample_ct.networks.settings import DiffusionUNetSettings
from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.values.units import Window, from_network, to_network


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
        """Of PixelUNet."""
        return {"block": self.block, "image_channels": self.image_channels, **self.levels()}


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
