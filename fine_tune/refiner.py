"""What the cascade's second network learns: from FBP-UNet's estimate, made consistent, to the slice."""

from __future__ import annotations

import torch
from torch import nn

from fine_tune.loop import generator_of_step
from fine_tune.pictures import side_by_side
from fine_tune.source import SliceSource
from resample_ct.metrics import psnr
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.cascade import between_networks
from resample_ct.reconstruct.fbp_unet import FBPUNet
from resample_ct.slices import IMAGE_SIZE


class RefinerTask:
    """Squared error of the network behind FBP-UNet and the data consistency.

    Args:
        source: of slices, projected anew at each draw.
        held_out: (N, 1, 256, 256) slices to validate on.
        fbp_unet: the first network; its views and noise are those learned for.
    """

    name = "refiner"

    def __init__(self, source: SliceSource, held_out: torch.Tensor, fbp_unet: FBPUNet) -> None:
        self._source = source
        self._fbp_unet = fbp_unet
        self._projector = make_projector(ParallelBeam.uniform(IMAGE_SIZE, fbp_unet.n_angles))
        self._held_out = held_out
        generator = generator_of_step(0, 0)
        self._held_out_estimate = torch.cat(
            [self._estimate(part, generator) for part in held_out.split(4)]
        )

    def _estimate(self, slices: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """(B, 1, 256, 256) what the network sees of slices that are measured."""
        sigma = self._fbp_unet.sigma
        with torch.no_grad():
            clean = self._projector(slices)
            noisy = clean + sigma * torch.randn(clean.shape, generator=generator)
            measurement = Measurement(self._projector, noisy, torch.full((len(slices),), sigma**2))
            return between_networks(measurement, self._fbp_unet(measurement, []))

    def batch(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Consistent estimate and slice."""
        slices = self._source.draw(size, IMAGE_SIZE, generator)
        return self._estimate(slices, generator), slices

    def loss(self, network: nn.Module, *batch: torch.Tensor) -> torch.Tensor:
        """Mean squared error, in units of 1 % of the window so that the numbers can be read."""
        estimate, slices = batch
        return 1e4 * (network(estimate) - slices).square().mean()

    def _clean(self, network: nn.Module) -> torch.Tensor:
        device = next(network.parameters()).device
        parts = [network(part.to(device)) for part in self._held_out_estimate.split(4)]
        return torch.cat(parts).clamp(0, 1).cpu()

    def validate(self, network: nn.Module) -> float:
        """Mean PSNR in dB on the held-out slices."""
        return float(psnr(self._clean(network), self._held_out).mean())

    def picture(self, network: nn.Module) -> torch.Tensor:
        """Two held-out slices: estimate, network, truth."""
        rows = self._held_out_estimate, self._clean(network), self._held_out
        return side_by_side([row[:2] for row in rows])
