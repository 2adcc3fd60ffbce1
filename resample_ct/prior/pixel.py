"""A diffusion prior on pixels: what DPS, MCG, DDRM, DMPS and DDS are built on.

Their authors' networks work on 256 x 256 pixels, for hours on a CPU. Here the same UNet as on the
latents sees the slice with every 4 x 4 block of pixels as 16 channels (space to depth), which loses
nothing: independent noise on the pixels is independent noise on the channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from monai.networks.nets import DiffusionModelUNet
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.units import Window, from_network, to_network


@dataclass(frozen=True)
class PixelUNetSettings:
    """The noise predictor on pixels.

    Attributes:
        block: side of the pixel blocks that become channels.
        image_channels: of the image.
        channels: of each level from the finest, which has `block` times fewer pixels a side.
        num_res_blocks: a level.
        attention_levels: where there is self-attention.
        head_channels: of an attention head.
        norm_groups: of the group normalisation.
    """

    block: int = 4
    image_channels: int = 1
    channels: tuple[int, ...] = (64, 96, 128, 192)
    num_res_blocks: int = 1
    attention_levels: tuple[bool, ...] = (False, False, True, True)
    head_channels: int = 32
    norm_groups: int = 32

    def build(self) -> PixelUNet:
        """The network, untrained."""
        return PixelUNet(self)


class PixelUNet(nn.Module):
    """eps_theta(x_t, t) on (B, C, H, W), by MONAI's DiffusionModelUNet on its blocks as channels."""

    def __init__(self, settings: PixelUNetSettings) -> None:
        super().__init__()
        self.block = settings.block
        channels = settings.image_channels * settings.block**2
        self.unet = DiffusionModelUNet(
            spatial_dims=2,
            in_channels=channels,
            out_channels=channels,
            channels=settings.channels,
            num_res_blocks=settings.num_res_blocks,
            attention_levels=settings.attention_levels,
            num_head_channels=settings.head_channels,
            norm_num_groups=settings.norm_groups,
            norm_eps=1e-5,
            include_fc=True,
        )

    def forward(self, image: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """The predicted noise, in the shape of `image`; times (B,)."""
        return pixel_shuffle(self.unet(pixel_unshuffle(image, self.block), times), self.block)


@dataclass(frozen=True)
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
        noise: torch.Tensor = self.unet(latent, torch.full((len(latent),), t, device=latent.device))
        return noise

    def tweedie(self, latent: torch.Tensor, t: int) -> torch.Tensor:
        """E[x_0 | x_t] in the network's range."""
        return self.schedule.tweedie(latent, self.predict_noise(latent, t), t)
