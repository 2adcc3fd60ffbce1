"""What FBP-UNet learns: from the FBP of a noisy sparse sinogram to the slice (Jin et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from fine_tune.loop import generator_of_step, train
from fine_tune.pictures import side_by_side
from fine_tune.processes import processes
from fine_tune.run import Run, open_run
from fine_tune.source import SliceSource
from resample_ct.metrics import psnr
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.prior.bundle import half_precision, read_card, read_networks, write_bundle
from resample_ct.prior.fbp_unet_bundle import FBPUNetCard
from resample_ct.progress import Update
from resample_ct.slices import IMAGE_SIZE
from resample_ct.solvers.fbp import fbp
from resample_ct.units import Window


class FBPUNetTask:
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
        self._held_out = held_out
        self._held_out_fbp = self._measure(held_out, generator_of_step(0, 0))

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
        """Mean squared error, in units of 1 % of the window so that the numbers can be read."""
        back_projected, slices = batch
        return 1e4 * (network(back_projected) - slices).square().mean()

    def _clean(self, network: nn.Module) -> torch.Tensor:
        device = next(network.parameters()).device
        parts = [network(part.to(device)) for part in self._held_out_fbp.split(4)]
        return torch.cat(parts).clamp(0, 1).cpu()

    def validate(self, network: nn.Module) -> float:
        """Mean PSNR in dB on the held-out slices."""
        return float(psnr(self._clean(network), self._held_out).mean())

    def picture(self, network: nn.Module) -> torch.Tensor:
        """Two held-out slices: FBP, network, truth."""
        rows = self._held_out_fbp, self._clean(network), self._held_out
        return side_by_side([row[:2] for row in rows])


@dataclass(frozen=True)
class FBPUNetTraining:
    """What to train.

    Attributes:
        run: data, output and length.
        init: "scratch", or an FBP-UNet bundle to train further.
        n_angles: views to learn.
        sigma: noise to learn.
    """

    run: Run
    init: str
    n_angles: int
    sigma: float


def train_fbp_unet(training: FBPUNetTraining, say: Callable[[str], None], progress: Update) -> None:
    """Train and write the bundle; an interrupted call continues where its checkpoint ends.

    Raises:
        ResampleCTError: options, weights or data that cannot be trained with, and see `train`.
    """
    run = training.run
    with processes(run.device) as group:
        torch.manual_seed(run.loop.seed)
        window = Window()
        card = FBPUNetCard(
            **run.statements(),
            description=f"FBP-UNet for {training.n_angles} parallel views.",
            n_angles=training.n_angles,
            sigma=training.sigma,
        )
        network: nn.Module = card.unet.build()
        if training.init != "scratch":
            start = read_card(Path(training.init), FBPUNetCard)
            network = read_networks(Path(training.init), start)["unet"].requires_grad_(True)
            window, card = start.window, card.model_copy(update={"unet": start.unet})
        opened = open_run(run, window, group, say, progress)
        task = FBPUNetTask(opened.source, opened.held_out, training.n_angles, training.sigma)
        path = run.work / f"{task.name}.pt"
        network.load_state_dict(train(task, network, run.loop, path, opened.observer, group))
        if not group.leads:
            return
        with torch.no_grad():
            merit = task.validate(network.eval())
        record = opened.record(run) | {"init": training.init, "merit_held_out": merit}
        update = {
            "training": record,
            "spacing_mm": opened.spacing_mm,
            "window_hu": (window.lower, window.upper),
        }
        write_bundle(run.out, card.model_copy(update=update), {"unet": half_precision(network)})
        say(f"{run.out}: written, {merit:.2f} dB on the held-out slices; {run.work} can be deleted")
