"""Train a prior: the autoencoder, its decoder alone, the UNet on its latents, or both networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import nn

from fine_tune.activations import recompute_activations
from fine_tune.autoencoder import AutoencoderTask
from fine_tune.loop import Task, generator_of_step, train
from fine_tune.low_rank import add_low_rank, merge_low_rank
from fine_tune.processes import Processes, processes
from fine_tune.run import Opened, Run, came_from, open_run
from fine_tune.source import SliceSource
from fine_tune.start import starting_prior
from fine_tune.unet import UNetTask
from resample_ct.bundles.bundle import half_precision, write_bundle
from resample_ct.bundles.card import LatentPriorCard
from resample_ct.prior.latent import LatentPrior
from resample_ct.prior.schedule import Prediction
from resample_ct.progress import Update
from resample_ct.values.network_grid import IMAGE_SIZE

_SCALE_SLICES = 64
# The layers that follow the latents, in MONAI's autoencoder and in the released one alike.
_DECODER = ("decoder", "post_quant_conv")


@dataclass(frozen=True)
class PriorTraining:
    """What to train.

    Attributes:
        run: data, output and length.
        init: weights to start from, see `starting_prior`.
        part: which network; with "both" the autoencoder comes first, each for `run.loop.steps`. "decoder"
            leaves the encoder as it is, so that the UNet's latents stay what it was trained on.
        low_rank: rank of LoRA's updates; 0 trains every weight.
        recompute: trade time for the memory of activations.
        prediction: that the UNet learns; None leaves that of `init`.
    """

    run: Run
    init: str
    part: Literal["unet", "autoencoder", "decoder", "both"]
    low_rank: int = 0
    recompute: bool = False
    prediction: Prediction | None = None

    @property
    def what(self) -> dict[str, Any]:
        """Which weights change, for the records of checkpoint and bundle."""
        return {"part": self.part, "low_rank": self.low_rank}


def latent_scale(prior: LatentPrior, source: SliceSource, seed: int) -> float:
    """Standard deviation of the autoencoder's latents over some augmented slices."""
    latents = []
    with torch.no_grad():
        for step in range(_SCALE_SLICES // 4):
            slices = source.draw(4, IMAGE_SIZE, generator_of_step(seed, -1 - step)).to(prior.device)
            latents.append(replace(prior, scale=1.0).encode(slices).cpu())
    return float(torch.cat(latents).std())


def train_prior(training: PriorTraining, say: Callable[[str], None], progress: Update) -> None:
    """Train and write the bundle; an interrupted call continues where its checkpoints end.

    Raises:
        ResampleCTError: options, weights or data that cannot be trained with, and see `train`.
    """
    run = training.run
    with processes(run.device) as group:
        torch.manual_seed(run.loop.seed)
        with group.leader_first():
            card, prior = starting_prior(training.init, run.work, str(group.device))
        if training.prediction is not None:
            prior = replace(prior, prediction=training.prediction)
        with open_run(run, prior.window, group, say, progress) as opened:
            merits = {}
            if training.part != "unet":
                channels = card.autoencoder.image_channels, card.unet.latent_channels
                encoding = AutoencoderTask(opened.source, opened.held_out, *channels)
                merits["autoencoder"] = _fit(training, encoding, prior.autoencoder, card, opened, group)
            if training.part in ("autoencoder", "both"):
                prior = replace(prior, scale=latent_scale(prior, opened.source, run.loop.seed))
            if training.part in ("unet", "both"):
                denoising = UNetTask(opened.source, opened.held_out, prior)
                merits["unet"] = _fit(training, denoising, prior.unet, card, opened, group)
            if group.leads:
                for name, merit in merits.items():
                    say(f"{name}: {merit:.4g} on the held-out slices")
                write_bundle(
                    run.out,
                    _card_of(training, card, prior, opened, merits),
                    {
                        "autoencoder": half_precision(prior.autoencoder),
                        "unet": half_precision(prior.unet),
                    },
                )
                say(f"{run.out}: written; checkpoints in {run.work} can be deleted")


def _card_of(
    training: PriorTraining,
    start: LatentPriorCard,
    prior: LatentPrior,
    opened: Opened,
    merits: dict[str, float],
) -> LatentPriorCard:
    end = {
        "merit_held_out": merits,
        "from": came_from(start),
    }
    record = opened.record(training.run) | training.what | end
    return LatentPriorCard(
        **training.run.statements(),
        description=f"Latent diffusion prior of CT slices, from {start.name}.",
        window_hu=start.window_hu,
        image_size=IMAGE_SIZE,
        # With the decoder alone the UNet has seen no other pixels than before.
        spacing_mm=start.spacing_mm if training.part == "decoder" else opened.spacing_mm,
        training=record,
        autoencoder=start.autoencoder,
        unet=start.unet,
        latent_scale=prior.scale,
        quantise=start.quantise,
        schedule=start.schedule,
        prediction=prior.prediction,
    )


def _fit(
    training: PriorTraining,
    task: Task,
    network: nn.Module,
    start: LatentPriorCard,
    opened: Opened,
    group: Processes,
) -> float:
    """Train one network in place; returns its merit on the held-out slices."""
    network.requires_grad_(False)
    names = _DECODER if training.part == "decoder" else ("",)
    for trained in map(network.get_submodule, names):
        trained.requires_grad_(True)
        if training.low_rank:
            add_low_rank(trained, training.low_rank)
    if training.recompute:
        recompute_activations(network)
    path = training.run.work / f"{task.name}.pt"
    learned = {"prediction": training.prediction or start.prediction}
    origin = opened.origin(start, start) | training.what | learned
    network.load_state_dict(train(task, network, training.run.loop, origin, path, opened.observer, group))
    merge_low_rank(network)
    network.eval().requires_grad_(False)
    with torch.no_grad():
        return task.validate(network)
