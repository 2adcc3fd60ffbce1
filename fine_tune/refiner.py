"""What the cascade's second network learns: from FBP-UNet's estimate, or its own result, to the slice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from fine_tune.loop import generator_of_step
from fine_tune.one_network import train_network
from fine_tune.run import Run
from fine_tune.slice_task import SliceTask, squared_error
from fine_tune.source import SliceSource
from resample_ct.bundles.fbp_unet import FBPUNetCard, read_fbp_unet
from resample_ct.bundles.refiner import RefinerCard
from resample_ct.networks.slice_unet import SliceUNet
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.progress import Update
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.cascade import ROUND_ITERATIONS, first_image, refined
from resample_ct.values.network_grid import IMAGE_SIZE

_MOST_ROUNDS = 3


class RefinerTask(SliceTask):
    """Squared error of the network on the images that a cascade shows it.

    A quarter of the batches each are FBP-UNet's estimates and the network's own results after one, two
    and three rounds, all made consistent with the measurement.

    Args:
        source: of slices, projected anew at each draw.
        held_out: (N, 1, 256, 256) slices to validate on.
        fbp_unet: the first network; its views and noise are those learned for.
    """

    name = "refiner"

    def __init__(self, source: SliceSource, held_out: torch.Tensor, fbp_unet: SliceUNet) -> None:
        self._source = source
        self._fbp_unet = fbp_unet
        self._geometry = ParallelBeam.uniform(IMAGE_SIZE, fbp_unet.n_angles)
        self._held_out_sinogram = self._measure(held_out, generator_of_step(0, 0))
        super().__init__(self._first(self._held_out_sinogram), held_out)

    def _measure(self, slices: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """(B, 1, angle, detector) the slices' noisy sinograms."""
        clean = make_projector(self._geometry)(slices)
        return clean + self._fbp_unet.sigma * torch.randn(clean.shape, generator=generator)

    def _measurement(self, sinogram: torch.Tensor) -> Measurement:
        variance = torch.full((len(sinogram),), self._fbp_unet.sigma**2).to(sinogram)
        return Measurement(make_projector(self._geometry, str(sinogram.device)), sinogram, variance)

    def _first(self, sinogram: torch.Tensor) -> torch.Tensor:
        parts = [first_image(self._fbp_unet, self._measurement(part)) for part in sinogram.split(4)]
        return torch.cat(parts)

    def batch(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Sinogram, first image, number of rounds before the one learned from, and slice."""
        slices = self._source.draw(size, IMAGE_SIZE, generator)
        sinogram = self._measure(slices, generator)
        rounds = torch.randint(_MOST_ROUNDS + 1, (1,), generator=generator).expand(size)
        return sinogram, self._first(sinogram), rounds, slices

    def loss(self, network: nn.Module, *batch: torch.Tensor) -> torch.Tensor:
        """See `squared_error`."""
        sinogram, image, rounds, slices = batch
        # Solvers need single precision, whatever the network is trained in.
        with torch.autocast(sinogram.device.type, enabled=False):
            for _ in range(int(rounds[0])):
                image = refined(network, self._measurement(sinogram), image, ROUND_ITERATIONS).x
        return squared_error(network(image), slices)

    def found(self, network: nn.Module) -> torch.Tensor:
        """The network's result after two rounds from FBP-UNet's estimate."""
        device = next(network.parameters()).device
        image, sinogram = self._shown.to(device), self._held_out_sinogram.to(device)
        for _ in range(2):
            image = refined(network, self._measurement(sinogram), image, ROUND_ITERATIONS).x
        return image.clamp(0, 1).cpu()


def train_refiner(
    run: Run, init: str, fbp_unet: Path | None, say: Callable[[str], None], progress: Update
) -> None:
    """Train and write the network behind an FBP-UNet (None: the shipped one); see `train_network`."""
    first = read_fbp_unet(fbp_unet)
    card = RefinerCard(
        **run.statements(),
        description=f"Refines FBP-UNet's estimates of {first.n_angles} parallel views.",
        window_hu=(first.window.lower, first.window.upper),
        n_angles=first.n_angles,
        sigma=first.sigma,
        behind=first.sha256,
    )
    train_network(
        card,
        lambda _, opened: RefinerTask(opened.source, opened.held_out, first),
        init,
        run,
        say,
        progress,
        relatives=(FBPUNetCard,),
    )
