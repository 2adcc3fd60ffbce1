"""The VQ autoencoder of latent diffusion models (Rombach et al., 2022), on MONAI's blocks.

MONAI's AutoencoderKL cannot hold the released weights: theirs has a SiLU between the last norm and
the last convolution of encoder and decoder, one residual block more a level in the decoder, one 1x1
convolution on either side of the latents, and a codebook. All four are added here; each block is MONAI's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from monai.networks.nets.autoencoderkl import Decoder, Encoder
from torch import nn
from torch.nn.functional import embedding, silu

NORM_EPS = 1e-6
# On the codebook's term, as the released models were trained; van den Oord et al. have it on the other.
_CODEBOOK_WEIGHT = 0.25
# Entries of the distance matrix at once: 64 MiB in float32.
_DISTANCES = 2**24


class GroupNormSiLU(nn.GroupNorm):
    """Group norm, then SiLU, under the norm's own names."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise and apply SiLU to a tensor of any shape that a group norm takes."""
        return silu(super().forward(x))


@dataclass(frozen=True)
class Quantised:
    """Latents moved to their nearest codes.

    Attributes:
        latent: the codes, (B, C, H, W); its gradient passes straight through to what was quantised.
        indices: of the codes, (B, H, W).
        loss: scalar to add when training: mean((sg[codes] - z)^2), which commits the encoder, plus
            0.25 mean((codes - sg[z])^2), which moves the codebook.
    """

    latent: torch.Tensor
    indices: torch.Tensor
    loss: torch.Tensor


class VQAutoencoder(nn.Module):
    """Images (B, image_channels, H, W) in [-1, 1] to latents a 2^(levels - 1)th of the side, and back.

    Args:
        image_channels: of the images.
        channels: width of each level; the first is at the image's size.
        latent_channels: that encoder and decoder have between them.
        code_channels: of a code, and of the latents that `encode` gives.
        codes: in the codebook.
        num_res_blocks: a level in the encoder; the decoder has one more.
        attention_levels: which levels have attention after each residual block.
        norm_groups: of every group norm.
    """

    def __init__(
        self,
        image_channels: int,
        channels: Sequence[int],
        latent_channels: int,
        code_channels: int,
        codes: int,
        num_res_blocks: int,
        attention_levels: Sequence[bool],
        norm_groups: int,
    ) -> None:
        super().__init__()
        levels = len(channels)
        if len(attention_levels) != levels:
            raise ValueError(f"attention_levels: {len(attention_levels)} for {levels} levels")
        self.encoder = Encoder(
            spatial_dims=2,
            in_channels=image_channels,
            channels=channels,
            out_channels=latent_channels,
            num_res_blocks=(num_res_blocks,) * levels,
            norm_num_groups=norm_groups,
            norm_eps=NORM_EPS,
            attention_levels=attention_levels,
        )
        self.decoder = Decoder(
            spatial_dims=2,
            channels=channels,
            in_channels=latent_channels,
            out_channels=image_channels,
            num_res_blocks=(num_res_blocks + 1,) * levels,
            norm_num_groups=norm_groups,
            norm_eps=NORM_EPS,
            attention_levels=attention_levels,
        )
        self.encoder.blocks[-2] = GroupNormSiLU(norm_groups, channels[-1], NORM_EPS)
        self.decoder.blocks[-2] = GroupNormSiLU(norm_groups, channels[0], NORM_EPS)
        self.quant_conv = nn.Conv2d(latent_channels, code_channels, 1)
        self.post_quant_conv = nn.Conv2d(code_channels, latent_channels, 1)
        self.codebook = nn.Parameter(torch.empty(codes, code_channels).uniform_(-1 / codes, 1 / codes))

    def encode(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The latent before quantisation, and its spread, which is zero: the pair AutoencoderKL gives."""
        latent = self.quant_conv(self.encoder(image))
        return latent, torch.zeros_like(latent)

    def quantise(self, latent: torch.Tensor) -> Quantised:
        """Move each latent vector to the nearest code."""
        vectors = latent.movedim(1, -1)
        with torch.no_grad():
            indices = self._nearest(vectors.flatten(0, -2)).view(vectors.shape[:-1])
        codes = embedding(indices, self.codebook).movedim(-1, 1)
        committed = (codes.detach() - latent).square().mean()
        moved = (codes - latent.detach()).square().mean()
        return Quantised(
            latent=latent + (codes - latent).detach(),
            indices=indices,
            loss=committed + _CODEBOOK_WEIGHT * moved,
        )

    def _nearest(self, vectors: torch.Tensor) -> torch.Tensor:
        codes = self.codebook.to(vectors.dtype)
        lengths = codes.square().sum(dim=1)
        rows = max(1, _DISTANCES // len(codes))
        found = [
            (part.square().sum(dim=1, keepdim=True) + lengths - 2 * part @ codes.T).argmin(dim=1)
            for part in vectors.split(rows)
        ]
        return torch.cat(found)

    def decode(self, latent: torch.Tensor, quantise: bool = True) -> torch.Tensor:
        """Latent to image; without `quantise` the latent itself is decoded, so that D is smooth."""
        if quantise:
            latent = self.quantise(latent).latent
        image: torch.Tensor = self.decoder(self.post_quant_conv(latent))
        return image

    def decode_stage_2_outputs(self, latent: torch.Tensor) -> torch.Tensor:
        """`decode` under the name that MONAI's LatentDiffusionInferer calls."""
        return self.decode(latent)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The reconstruction, and the quantiser's loss to add to that of the reconstruction."""
        quantised = self.quantise(self.encode(image)[0])
        return self.decode(quantised.latent, quantise=False), quantised.loss
