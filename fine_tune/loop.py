"""One training loop for every network: exact resume, averaged weights, validation, early stop."""

from __future__ import annotations

import contextlib
import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import nn

from fine_tune.average import State, start_average, update_average
from fine_tune.checkpoint import load_checkpoint, save_checkpoint
from fine_tune.observer import Observer
from fine_tune.processes import Processes
from resample_ct.errors import OptionError, ResampleCTError


@dataclass(frozen=True)
class LoopSettings:
    """How long, how fast and how often.

    Attributes:
        steps: of the optimiser.
        learning_rate: highest; it warms up over `warmup` steps.
        batch: slices a step, over all processes and accumulation steps.
        seed: of every random number.
        decay: "cosine" falls to zero at the last step, "constant" stays, as the paper's 1e-5.
        warmup: steps.
        ema_decay: of the moving average of the weights.
        clip_norm: largest norm of the gradient.
        accumulate: parts that a process computes its share of the batch in.
        precision: of the forward pass; bfloat16 is autocast.
        checkpoint_every: steps, which is what a kill can lose.
        validate_every: steps; 0 never validates.
        patience: validations without a better one that end the training; 0 never does.
    """

    steps: int
    learning_rate: float
    batch: int
    seed: int = 0
    decay: Literal["cosine", "constant"] = "cosine"
    warmup: int = 50
    ema_decay: float = 0.995
    clip_norm: float = 1.0
    accumulate: int = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    checkpoint_every: int = 50
    validate_every: int = 0
    patience: int = 0

    def __post_init__(self) -> None:
        """Refuse a patience that nothing could end."""
        if self.patience and not self.validate_every:
            raise OptionError(
                f"--patience {self.patience}: found --validate-every 0, expected a number of steps to "
                "judge the network after; give one, or leave --patience out"
            )

    def rate(self, step: int) -> float:
        """Learning rate at a step, as a share of `learning_rate`."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        if self.decay == "constant":
            return 1.0
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 0.5 * (1.0 + math.cos(math.pi * progress))


class Task(Protocol):
    """What is trained: batches, a loss and a figure of merit."""

    name: str

    def batch(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """One step's whole batch; the first axis of each tensor is the slice."""
        ...

    def loss(self, network: nn.Module, *batch: torch.Tensor) -> torch.Tensor:
        """Mean over the slices of some of a batch."""
        ...

    def validate(self, network: nn.Module) -> float:
        """On held-out slices; higher is better."""
        ...

    def picture(self, network: nn.Module) -> torch.Tensor:
        """(H, W) in [0, 1], for a person to judge by."""
        ...


def generator_of_step(seed: int, step: int) -> torch.Generator:
    """The random numbers of one step depend on seed and step alone, so a resumed run repeats them."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


class _Loss(nn.Module):
    """The loss as a forward pass, which is what distributed gradients hang on."""

    def __init__(self, task: Task, network: nn.Module) -> None:
        super().__init__()
        self.task, self.network = task, network

    def forward(self, *batch: torch.Tensor) -> torch.Tensor:
        return self.task.loss(self.network, *batch)


@dataclass
class _Progress:
    """Where a run is: what a checkpoint holds beside the network and its optimiser."""

    average: State
    step: int = 0
    best: float = -math.inf
    best_average: State | None = None
    since_best: int = 0


def train(
    task: Task,
    network: nn.Module,
    settings: LoopSettings,
    origin: dict[str, Any],
    checkpoint: Path,
    observer: Observer,
    processes: Processes,
) -> State:
    """Train `network` and return its averaged weights.

    Where it validates these are the best validated ones, those at the start among them.

    Args:
        task: batches and loss.
        network: to train in place; continues from `checkpoint` when that file exists.
        settings: a checkpoint written under others is refused.
        origin: what else makes the run what it is, as JSON values: its data, its first weights, its task;
            a checkpoint of another is refused.
        checkpoint: file that is replaced whole every `checkpoint_every` steps.
        observer: told of steps, validations and pictures.
        processes: that share the work.

    Raises:
        ResampleCTError: a loss or gradient that is not finite, or a checkpoint of another run.
    """
    network.to(processes.device).train()
    trained = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=1e-4)
    progress = _Progress(start_average(network))
    identity = {**asdict(settings), **origin}
    state = load_checkpoint(checkpoint, identity)
    is_new = state is None
    if state is not None:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        progress = _Progress(**state["progress"])
    del state  # of a large model, gigabytes
    computing = processes.wrap(_Loss(task, network))
    observer.begin(task.name, progress.step, settings.steps)
    if is_new and settings.validate_every:
        # What the training has to beat: no bundle is worse on the held-out slices than its start.
        _validate(task, network, progress, observer, processes)
    while progress.step < settings.steps and not _patience_is_over(progress, settings):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * settings.rate(progress.step)
        value, norm = _step(task, computing, trained, optimiser, settings, progress.step, processes)
        update_average(progress.average, network, settings.ema_decay, progress.step)
        progress.step += 1
        observer.step(progress.step, value, norm, optimiser.param_groups[0]["lr"])
        last = progress.step == settings.steps
        if settings.validate_every and (last or progress.step % settings.validate_every == 0):
            _validate(task, network, progress, observer, processes)
        if last or progress.step % settings.checkpoint_every == 0:
            state = {
                "settings": identity,
                "network": network.state_dict(),
                "optimiser": optimiser.state_dict(),
                "progress": vars(progress),
            }
            if processes.leads:
                save_checkpoint(state, checkpoint)
    return progress.best_average or progress.average


def _patience_is_over(progress: _Progress, settings: LoopSettings) -> bool:
    return bool(settings.patience) and progress.since_best >= settings.patience


def _step(
    task: Task,
    computing: nn.Module,
    trained: list[nn.Parameter],
    optimiser: torch.optim.Optimizer,
    settings: LoopSettings,
    step: int,
    processes: Processes,
) -> tuple[float, float]:
    """One step of the optimiser; returns the loss over the whole batch and the gradient's norm."""
    batch = task.batch(settings.batch, generator_of_step(settings.seed, step))
    parts = processes.parts(batch, settings.accumulate)
    optimiser.zero_grad(set_to_none=True)
    value = 0.0
    for number, part in enumerate(parts):
        # The processes exchange gradients once a step, after their last part.
        waits = processes.count > 1 and number + 1 < len(parts)
        with computing.no_sync() if waits else contextlib.nullcontext():  # type: ignore[operator]
            with torch.autocast(
                processes.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"
            ):
                loss = computing(*part) / len(parts)
            loss.backward()
        value += float(loss.detach())
    value = processes.mean(value)
    norm = float(nn.utils.clip_grad_norm_(trained, settings.clip_norm))
    if not (math.isfinite(value) and math.isfinite(norm)):
        raise ResampleCTError(
            f"training step {step}: the loss is {value} and its gradient {norm}, expected finite "
            "numbers; lower the learning rate, use --precision float32, or look for odd values in the "
            "data; the last checkpoint is whole"
        )
    optimiser.step()
    return value, norm


def _validate(
    task: Task, network: nn.Module, progress: _Progress, observer: Observer, processes: Processes
) -> None:
    """Judge the averaged weights; every process does, so that all decide alike."""
    judged = copy.deepcopy(network).eval()
    judged.load_state_dict(progress.average)
    with torch.no_grad():
        merit = processes.mean(task.validate(judged))
        observer.validated(progress.step, merit)
        if processes.leads:
            observer.picture(progress.step, task.picture(judged))
    if merit > progress.best:
        progress.best, progress.since_best = merit, 0
        progress.best_average = {name: value.clone() for name, value in progress.average.items()}
    else:
        progress.since_best += 1
