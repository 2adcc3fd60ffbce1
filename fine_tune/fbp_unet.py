"""What FBP-UNet learns: from the FBP of a noisy sparse sinogram to the slice (Jin et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from fine_tune.loop import generator_of_step
from fine_tune.one_network import train_network
from fine_tune.run import Run
from fine_tune.slice_task import SliceTask, in_one_pass, squared_error
from fine_tune.source import SliceSource
from resample_ct.bundles.fbp_unet import FBPUNetCard
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.progress import Update
from resample_ct.solvers.fbp import fbp
from resample_ct.values.network_grid import IMAGE_SIZE


class FBPUNetTask(SliceTask):
    """Squared error of the network on the ramp-filtered back-projection.

    Args:
        source: of slices, projected anew at each draw.
        held_out: (N, 1, 256, 256) slices to validate on.
        n_angles: views over 180 degrees.
        sigma: noise of the line integrals, in pixels of relative attenuation.
    """

    name = "fbp-unet"

    def __init__(self, source: SliceSource, held_out: torch.Tensor, n_angles: int, sigma: float) -> None:
        self._source = source
        self._sigma = sigma
        self._geometry = ParallelBeam.uniform(IMAGE_SIZE, n_angles)
        self._projector = make_projector(self._geometry)
        super().__init__(self._measure(held_out, generator_of_step(0, 0)), held_out)

    def _measure(self, slices: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """(B, 1, 256, 256) FBP of the slices' noisy sinograms."""
        clean = self._projector(slices)
        noise = torch.randn(clean.shape, generator=generator)
        return fbp(self._geometry, clean + self._sigma * noise)

    def batch(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """FBP and slice."""
        slices = self._source.draw(size, IMAGE_SIZE, generator)
        return self._measure(slices, generator), slices

    def loss(self, network: nn.Module, *batch: torch.Tensor) -> torch.Tensor:
        """See `squared_error`."""
        back_projected, slices = batch
        return squared_error(network(back_projected), slices)

    def found(self, network: nn.Module) -> torch.Tensor:
        """The network's estimate from the FBP."""
        return in_one_pass(network, self._shown)


def train_fbp_unet(
    run: Run, init: str, n_angles: int, sigma: float, say: Callable[[str], None], progress: Update
) -> None:
    """Train and write FBP-UNet for `n_angles` parallel views and noise `sigma`; see `train_network`."""
    card = FBPUNetCard(
        **run.statements(),
        description=f"FBP-UNet for {n_angles} parallel views.",
        n_angles=n_angles,
        sigma=sigma,
    )
    train_network(
        card,
        lambda card, opened: FBPUNetTask(opened.source, opened.held_out, card.n_angles, card.sigma),
        init,
        run,
        say,
        progress,
        merit_format="{:.2f} dB",
    )
