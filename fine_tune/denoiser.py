"""What a denoiser learns: the slice below Gaussian noise of one level."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from fine_tune.loop import generator_of_step
from fine_tune.one_network import train_network
from fine_tune.run import Run
from fine_tune.slice_task import SliceTask, in_one_pass, squared_error
from fine_tune.source import SliceSource
from resample_ct.bundles.denoiser import DenoiserCard, DnCNNCard, UNetDenoiserCard
from resample_ct.progress import Update

# Side of the crops that each network learns from.
_CROPS: dict[type[DenoiserCard], int] = {DnCNNCard: 64, UNetDenoiserCard: 128}


class DenoiserTask(SliceTask):
    """Squared error of the network on noisy crops.

    Args:
        source: of slices.
        held_out: (N, 1, 256, 256) in [0, 1].
        sigma: noise, of relative attenuation.
        crop: side of the crops in pixels; DnCNN was published on 40 to 50.
    """

    name = "denoiser"

    def __init__(self, source: SliceSource, held_out: torch.Tensor, sigma: float, crop: int = 64) -> None:
        noise = torch.randn(held_out.shape, generator=generator_of_step(0, 0))
        super().__init__(held_out + sigma * noise, held_out)
        self._source, self._sigma, self._crop = source, sigma, crop

    def batch(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Noisy crops, and the crops."""
        crops = self._source.draw(size, self._crop, generator)
        return crops + self._sigma * torch.randn(crops.shape, generator=generator), crops

    def loss(self, network: nn.Module, *batch: torch.Tensor) -> torch.Tensor:
        """See `squared_error`."""
        noisy, crops = batch
        return squared_error(network(noisy), crops)

    def found(self, network: nn.Module) -> torch.Tensor:
        """The network's estimate from the noisy slices."""
        return in_one_pass(network, self._shown)


def train_denoiser(
    run: Run,
    init: str,
    kind: type[DenoiserCard],
    sigma: float,
    say: Callable[[str], None],
    progress: Update,
) -> None:
    """Train and write a denoiser of a kind for noise `sigma`; see `train_network`."""
    description = f"Removes Gaussian noise of {sigma:g} from CT slices in [0, 1]."
    train_network(
        kind(**run.statements(), description=description, sigma=sigma),
        lambda card, opened: DenoiserTask(opened.source, opened.held_out, card.sigma, _CROPS[kind]),
        init,
        run,
        say,
        progress,
    )
