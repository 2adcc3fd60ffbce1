"""What the autoencoder learns: L1 + gradients + squared error on crops, with noise on the latents.

The noise takes the place of a KL term: it makes the decoder smooth around every code, which is what
latent optimisation needs, and costs no second encoder head. A model with a codebook has the codebook's
own loss instead (van den Oord et al. 2017).
"""

from __future__ import annotations

import torch
from torch import nn

from fine_tune.pictures import side_by_side
from fine_tune.source import SliceSource
from resample_ct.metrics import psnr
from resample_ct.networks.vq_autoencoder import VQAutoencoder
from resample_ct.values.units import from_network, to_network

LATENT_NOISE = 0.1


def _gradients(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def reconstruction_loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 + L1 of the gradients + 10 squared error, on slices in [-1, 1]."""
    difference = output - target
    vertical, horizontal = _gradients(difference)
    edges = vertical.abs().mean() + horizontal.abs().mean()
    return difference.abs().mean() + edges + 10.0 * difference.square().mean()


class AutoencoderTask:
    """D(E(x)) against x.

    Args:
        source: of slices.
        held_out: (N, 1, 256, 256) in [0, 1].
        image_channels: of the autoencoder; a slice is repeated in each.
        latent_channels: of the autoencoder, to draw the noise by.
        crop: side of the crops in pixels.
    """

    name = "autoencoder"

    def __init__(
        self,
        source: SliceSource,
        held_out: torch.Tensor,
        image_channels: int,
        latent_channels: int,
        crop: int = 128,
    ) -> None:
        self._source, self._held_out, self._crop = source, held_out, crop
        self._image_channels = image_channels
        self._latent_shape = latent_channels, crop // 4, crop // 4

    def batch(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Crops and the noise on their latents."""
        crops = self._source.draw(size, self._crop, generator)
        return crops, torch.randn(size, *self._latent_shape, generator=generator)

    def _network_range(self, slices: torch.Tensor) -> torch.Tensor:
        return to_network(slices).expand(-1, self._image_channels, -1, -1)

    def loss(self, network: nn.Module, *batch: torch.Tensor) -> torch.Tensor:
        """Reconstruction, and what keeps the latents in their place.

        That is a pull of each latent to unit size, so that the noise keeps its share, or the codebook's
        loss.
        """
        crops, noise = batch
        target = self._network_range(crops)
        if isinstance(network, VQAutoencoder):
            output, codebook = network(target)
            return reconstruction_loss(output, target) + codebook
        latent = network.encode(target)[0]  # type: ignore[operator]
        output = network.decode(latent + LATENT_NOISE * noise)  # type: ignore[operator]
        size = (latent.square().mean(dim=(1, 2, 3)) - 1.0).square().mean()
        return reconstruction_loss(output, target) + 0.01 * size

    def _through(self, network: nn.Module, slices: torch.Tensor) -> torch.Tensor:
        device = next(network.parameters()).device
        parts = []
        for part in slices.split(4):
            latent = network.encode(self._network_range(part.to(device)))[0]  # type: ignore[operator]
            image = network.decode(latent).mean(dim=1, keepdim=True)  # type: ignore[operator]
            parts.append(from_network(image).clamp(0, 1).cpu())
        return torch.cat(parts)

    def validate(self, network: nn.Module) -> float:
        """Mean PSNR in dB of D(E(x)): no reconstruction that ends in D can be above it."""
        return float(psnr(self._through(network, self._held_out), self._held_out).mean())

    def picture(self, network: nn.Module) -> torch.Tensor:
        """Two held-out slices: truth, D(E(x))."""
        few = self._held_out[:2]
        return side_by_side([few, self._through(network, few)])
