"""The shipped prior's two MONAI networks, and the settings that rebuild them."""

from __future__ import annotations

from dataclasses import dataclass

from monai.networks.nets import AutoencoderKL, DiffusionModelUNet
from torch import nn


@dataclass(frozen=True)
class AutoencoderSettings:
    """A small autoencoder with latents a quarter of the slice's side (f = 4), like the FFHQ model's."""

    channels: tuple[int, ...] = (32, 64, 128)
    latent_channels: int = 4
    num_res_blocks: int = 1
    norm_groups: int = 16

    def build(self) -> AutoencoderKL:
        """MONAI's AutoencoderKL without attention; only its mean is used, so it is deterministic."""
        return AutoencoderKL(
            spatial_dims=2,
            in_channels=1,
            out_channels=1,
            channels=self.channels,
            num_res_blocks=self.num_res_blocks,
            attention_levels=(False,) * len(self.channels),
            latent_channels=self.latent_channels,
            norm_num_groups=self.norm_groups,
            with_encoder_nonlocal_attn=False,
            with_decoder_nonlocal_attn=False,
        )


@dataclass(frozen=True)
class UNetSettings:
    """The noise predictor on the latents."""

    channels: tuple[int, ...] = (64, 96, 128, 192)
    latent_channels: int = 4
    num_res_blocks: int = 1
    attention_levels: tuple[bool, ...] = (False, False, True, True)
    head_channels: int = 32
    norm_groups: int = 32

    def build(self) -> nn.Module:
        """MONAI's DiffusionModelUNet, unconditional, predicting the noise."""
        return DiffusionModelUNet(
            spatial_dims=2,
            in_channels=self.latent_channels,
            out_channels=self.latent_channels,
            channels=self.channels,
            num_res_blocks=self.num_res_blocks,
            attention_levels=self.attention_levels,
            num_head_channels=self.head_channels,
            norm_num_groups=self.norm_groups,
            norm_eps=1e-5,
            include_fc=True,
        )
