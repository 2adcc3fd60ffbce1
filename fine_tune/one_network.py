"""Train the one network of a bundle that has no other, and write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from fine_tune.loop import Task, train
from fine_tune.processes import processes
from fine_tune.run import Opened, Run, came_from, open_run
from resample_ct.bundles.bundle import half_precision, read_card, read_networks, write_bundle
from resample_ct.bundles.card import BundleCard
from resample_ct.progress import Update

Card = TypeVar("Card", bound=BundleCard)


def begin_as_it_is(card: Card, start: BundleCard, network: nn.Module) -> tuple[Card, nn.Module]:
    """The network of `start` itself, with its settings and window."""
    (part,) = card.networks
    kept = {part: getattr(start, part), "window_hu": start.window_hu}
    return card.model_copy(update=kept), network


def train_network(
    card: Card,
    task_for: Callable[[Card, Opened], Task],
    init: str,
    run: Run,
    say: Callable[[str], None],
    progress: Update,
    relatives: tuple[type[BundleCard], ...] = (),
    begin: Callable[[Card, BundleCard, nn.Module], tuple[Card, nn.Module]] = begin_as_it_is,
    merit_format: str = "{:.4g}",
) -> None:
    """Train and write the bundle; an interrupted call continues where its checkpoint ends.

    Args:
        card: of a bundle with one network.
        task_for: makes the task from the card and the data.
        init: "scratch", "shipped", or a bundle of this kind or of `relatives`, whose network and window
            are taken.
        run: data, output and length.
        say: told of what happens.
        progress: told of steps.
        relatives: further kinds of bundle that `init` may be, whose network has the same name.
        begin: makes card and network to train of `card` and what `init` holds; by default all is taken.
        merit_format: of the merit that is said at the end.

    Raises:
        ResampleCTError: options, weights or data that cannot be trained with, and see `train`.
    """
    (part,) = card.networks
    with processes(run.device) as group:
        torch.manual_seed(run.loop.seed)
        network: nn.Module = card.networks[part].build()
        start: BundleCard | None = None
        if init != "scratch":
            folder = card.shipped() if init == "shipped" else Path(init)
            start = read_card(folder, type(card), *relatives, option="init")
            network = read_networks(folder, start)[part].requires_grad_(True)
            card, network = begin(card, start, network)
        with open_run(run, card.window, group, say, progress) as opened:
            task = task_for(card, opened)
            path, origin = run.work / f"{task.name}.pt", opened.origin(card, start)
            network.load_state_dict(train(task, network, run.loop, origin, path, opened.observer, group))
            if not group.leads:
                return
            with torch.no_grad():
                merit = task.validate(network.eval())
            record = opened.record(run) | {"init": init, "merit_held_out": merit}
            if start is not None:
                record["from"] = came_from(start)
            update = {"training": record, "spacing_mm": opened.spacing_mm}
            write_bundle(run.out, card.model_copy(update=update), {part: half_precision(network)})
            said = merit_format.format(merit)
            say(f"{run.out}: written, {said} on the held-out slices; {run.work} can be deleted")
