"""What the pixel prior learns: the clean slice of a noisy one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from fine_tune.loop import generator_of_step
from fine_tune.noise_prediction import prediction_error, prediction_merit, stratified_times
from fine_tune.one_network import begin_as_it_is, train_network
from fine_tune.pictures import side_by_side
from fine_tune.run import Run
from fine_tune.source import SliceSource
from resample_ct.bundles.card import BundleCard, LatentPriorCard
from resample_ct.bundles.pixel_prior import PixelPriorCard
from resample_ct.networks.pixel_unet import PixelUNetSettings
from resample_ct.prior.pixel import PixelPrior
from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.progress import Update
from resample_ct.reconstruct.sampling import unconditional_samples
from resample_ct.values.network_grid import IMAGE_SIZE
from resample_ct.values.units import Window, to_network

_SAMPLE_STEPS = 25
# Of DiffusionModelUNet: what a latent's channels go in by and come out by.
_OUTER_LAYERS = ("conv_in.", "out.2.")


def begin_pixel_prior(
    card: PixelPriorCard, start: BundleCard, network: nn.Module
) -> tuple[PixelPriorCard, nn.Module]:
    """A pixel prior's network as it is, or a latent prior's within a new first and last layer.

    On a latent of f = 4 and on 4 x 4 pixel blocks the UNet sees the same anatomy at the same places.
    """
    if not isinstance(start, LatentPriorCard):
        return begin_as_it_is(card, start, network)
    unet = start.unet
    settings = PixelUNetSettings(
        channels=unet.channels,
        num_res_blocks=unet.num_res_blocks,
        attention_levels=unet.attention_levels,
        head_channels=unet.head_channels,
        norm_groups=unet.norm_groups,
    )
    pixel_network = settings.build()
    inner = {k: v for k, v in network.state_dict().items() if not k.startswith(_OUTER_LAYERS)}
    pixel_network.unet.load_state_dict(inner, strict=False)
    return card.model_copy(update={"unet": settings, "window_hu": start.window_hu}), pixel_network


class PixelTask:
    """Predict x_0 from x_t.

    Args:
        source: of slices.
        held_out: (N, 1, 256, 256) in [0, 1].
    """

    name = "pixel"

    def __init__(self, source: SliceSource, held_out: torch.Tensor) -> None:
        self._source, self._held_out = source, held_out
        self._schedule = NoiseSchedule()

    def batch(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Slices, times and noise."""
        slices = self._source.draw(size, IMAGE_SIZE, generator)
        noise = torch.randn(slices.shape, generator=generator)
        return slices, stratified_times(size, self._schedule, generator), noise

    def loss(self, network: nn.Module, *batch: torch.Tensor) -> torch.Tensor:
        """See `prediction_error`."""
        slices, t, noise = batch
        return prediction_error("clean", network, self._schedule, to_network(slices), t, noise)

    def validate(self, network: nn.Module) -> float:
        """See `prediction_merit`."""
        return prediction_merit("clean", network, self._schedule, to_network(self._held_out))

    def picture(self, network: nn.Module) -> torch.Tensor:
        """Four samples."""
        prior = PixelPrior(network, self._schedule, Window(), self.name, "")
        seeds = [generator_of_step(0, number) for number in range(4)]
        samples = unconditional_samples(prior, self._held_out.shape[1:], _SAMPLE_STEPS, seeds)
        return side_by_side(samples.cpu().clamp(0, 1).split(1))


def train_pixel_prior(run: Run, init: str, say: Callable[[str], None], progress: Update) -> None:
    """Train and write the diffusion prior on pixels; see `train_network`."""
    train_network(
        PixelPriorCard(**run.statements(), description="A diffusion prior of CT slices on pixels."),
        lambda _, opened: PixelTask(opened.source, opened.held_out),
        init,
        run,
        say,
        progress,
        relatives=(LatentPriorCard,),
        begin=begin_pixel_prior,
    )
