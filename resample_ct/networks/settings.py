"""The networks that a bundle may hold, and the settings that rebuild each of them.

Settings are data that is checked, never code: a bundle names one of these kinds and its figures, so
that reading one from elsewhere cannot run anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from monai.networks.nets import AutoencoderKL, DiffusionModelUNet
from pydantic import ConfigDict, PositiveInt
from pydantic.dataclasses import dataclass
from torch import nn

from resample_ct.networks import PUBLIC
from resample_ct.networks.vq_autoencoder import VQAutoencoder

_STRICT = ConfigDict(extra="forbid")


class NetworkSettings(ABC):
    """What rebuilds one network; `arguments` is the only description of it."""

    network: ClassVar[type[nn.Module]]

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `network`, as JSON values."""

    def build(self) -> Any:
        """The network with fresh weights; raises ValueError for figures that it cannot have."""
        return self.network(**self.arguments())

    def definition(self) -> dict[str, Any]:
        """The same as a component of a MONAI config; a network of ours by its public path."""
        name, module = self.network.__name__, self.network.__module__
        return {"_target_": f"{__package__ if name in PUBLIC else module}.{name}", **self.arguments()}


@dataclass(frozen=True, config=_STRICT)
class AutoencoderSettings(NetworkSettings):
    """A small autoencoder with latents a quarter of the slice's side (f = 4), like the FFHQ model's.

    MONAI's AutoencoderKL without attention; only its mean is used, so it is deterministic.
    """

    network: ClassVar[type[nn.Module]] = AutoencoderKL

    channels: tuple[PositiveInt, ...] = (32, 64, 128)
    latent_channels: PositiveInt = 4
    num_res_blocks: PositiveInt = 1
    norm_groups: PositiveInt = 16
    architecture: Literal["autoencoder-kl"] = "autoencoder-kl"

    @property
    def image_channels(self) -> int:
        """Channels of the images that it takes."""
        return 1

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of AutoencoderKL."""
        return {
            "spatial_dims": 2,
            "in_channels": self.image_channels,
            "out_channels": self.image_channels,
            "channels": list(self.channels),
            "num_res_blocks": self.num_res_blocks,
            "attention_levels": [False] * len(self.channels),
            "latent_channels": self.latent_channels,
            "norm_num_groups": self.norm_groups,
            "with_encoder_nonlocal_attn": False,
            "with_decoder_nonlocal_attn": False,
        }


@dataclass(frozen=True, config=_STRICT)
class VQAutoencoderSettings(NetworkSettings):
    """The released VQ-f4 autoencoder's layout; the defaults are its figures."""

    network: ClassVar[type[nn.Module]] = VQAutoencoder

    channels: tuple[PositiveInt, ...] = (128, 256, 512)
    latent_channels: PositiveInt = 3
    code_channels: PositiveInt = 3
    codes: PositiveInt = 8192
    image_channels: PositiveInt = 3
    num_res_blocks: PositiveInt = 2
    attention_levels: tuple[bool, ...] = (False, False, False)
    norm_groups: PositiveInt = 32
    architecture: Literal["vq-autoencoder"] = "vq-autoencoder"

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of VQAutoencoder."""
        return {
            "image_channels": self.image_channels,
            "channels": list(self.channels),
            "latent_channels": self.latent_channels,
            "code_channels": self.code_channels,
            "codes": self.codes,
            "num_res_blocks": self.num_res_blocks,
            "attention_levels": list(self.attention_levels),
            "norm_groups": self.norm_groups,
        }


class DiffusionUNetSettings(NetworkSettings):
    """What MONAI's DiffusionModelUNet is told of its levels, on latents as on pixels."""

    channels: tuple[PositiveInt, ...]
    num_res_blocks: PositiveInt
    attention_levels: tuple[bool, ...]
    head_channels: PositiveInt
    norm_groups: PositiveInt

    def levels(self) -> dict[str, Any]:
        """Arguments of DiffusionModelUNet."""
        return {
            "channels": list(self.channels),
            "num_res_blocks": self.num_res_blocks,
            "attention_levels": list(self.attention_levels),
            "num_head_channels": self.head_channels,
            "norm_num_groups": self.norm_groups,
            "norm_eps": 1e-5,
            "include_fc": True,
        }


@dataclass(frozen=True, config=_STRICT)
class UNetSettings(DiffusionUNetSettings):
    """The noise predictor on the latents: MONAI's DiffusionModelUNet, unconditional."""

    network: ClassVar[type[nn.Module]] = DiffusionModelUNet

    channels: tuple[PositiveInt, ...] = (64, 96, 128, 192)
    latent_channels: PositiveInt = 4
    num_res_blocks: PositiveInt = 1
    attention_levels: tuple[bool, ...] = (False, False, True, True)
    head_channels: PositiveInt = 32
    norm_groups: PositiveInt = 32
    architecture: Literal["diffusion-unet"] = "diffusion-unet"

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of DiffusionModelUNet."""
        return {
            "spatial_dims": 2,
            "in_channels": self.latent_channels,
            "out_channels": self.latent_channels,
            **self.levels(),
        }
