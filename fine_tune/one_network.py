"""Train one network of a comparison method and write its bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from fine_tune.denoiser import DenoiserTask
from fine_tune.loop import Task, train
from fine_tune.pixel import PixelTask
from fine_tune.processes import processes
from fine_tune.run import Opened, Run, open_run
from resample_ct.errors import OptionError
from resample_ct.prior.denoiser import DnCNNSettings, UNetDenoiserSettings
from resample_ct.prior.network_bundle import KINDS, NetworkSettings, read_network, write_network
from resample_ct.progress import Update
from resample_ct.units import Window


def _task(settings: NetworkSettings, opened: Opened) -> Task:
    if isinstance(settings, DnCNNSettings | UNetDenoiserSettings):
        # A UNet looks further than DnCNN's 35 pixels.
        crop = 64 if isinstance(settings, DnCNNSettings) else 128
        return DenoiserTask(opened.source, opened.held_out, settings.sigma, crop)
    return PixelTask(opened.source, opened.held_out)


def train_network(
    kind: str,
    settings: NetworkSettings,
    init: str,
    run: Run,
    say: Callable[[str], None],
    progress: Update,
) -> None:
    """Train and write the bundle; an interrupted call continues where its checkpoint ends.

    Args:
        kind: of `resample_ct.prior.network_bundle.KINDS`.
        settings: of the network; those of `init` where that is a bundle.
        init: "scratch" or a bundle of the same kind.
        run: data, output and length.
        say: told of what happens.
        progress: told of steps.

    Raises:
        ResampleCTError: options, weights or data that cannot be trained with, and see `train`.
    """
    assert kind in KINDS
    with processes(run.device) as group:
        torch.manual_seed(run.loop.seed)
        window = Window()
        if init == "scratch":
            network = settings.build()
        else:
            start = read_network(Path(init))
            if start.kind != kind:
                raise OptionError(f"--init {init}: found kind {start.kind}, expected {kind}")
            network, settings, window = start.network, start.settings, start.window
            network.requires_grad_(True)
        opened = open_run(run, window, group, say, progress)
        task = _task(settings, opened)
        state = train(task, network, run.loop, run.work / f"{kind}.pt", opened.observer, group)
        network.load_state_dict(state)
        network.eval().requires_grad_(False)
        if group.leads:
            with torch.no_grad():
                merit = task.validate(network)
            training = opened.record(run) | {"init": init, "held_out_merit": merit}
            write_network(run.out, kind, run.name, network, settings, window, training)
            say(f"{run.out}: written, {merit:.4g} on the held-out slices; {run.work} can be deleted")
