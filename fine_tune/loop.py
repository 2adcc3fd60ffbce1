"""One training loop for every network: checkpoints, exact resume, an exponential moving average."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from resample_ct.errors import ResampleCTError

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class LoopSettings:
    """How long and how fast; the learning rate warms up, then falls to zero as a cosine."""

    steps: int
    learning_rate: float
    ema_decay: float = 0.995
    warmup: int = 50
    checkpoint_every: int = 100
    clip_norm: float = 1.0
    seed: int = 0

    def rate(self, step: int) -> float:
        """Learning rate at a step, as a share of `learning_rate`."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 0.5 * (1.0 + float(torch.cos(torch.tensor(torch.pi * progress))))


def generator_of_step(seed: int, step: int) -> torch.Generator:
    """The random numbers of one step depend on seed and step alone, so a resumed run repeats them."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


def _save(state: dict[str, Any], path: Path) -> None:
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def train(
    model: Network,
    loss: Callable[[Network, torch.Generator], torch.Tensor],
    settings: LoopSettings,
    checkpoint: Path,
    report: Callable[[int, float], None],
) -> dict[str, torch.Tensor]:
    """Train `model` and return its averaged weights.

    Args:
        model: the network; continues from `checkpoint` when that file exists.
        loss: scalar loss of one step, from the model and that step's generator.
        settings: length, rate, seed; a checkpoint written under others is refused.
        checkpoint: file that is replaced whole every `checkpoint_every` steps.
        report: called with the step and its loss.

    Raises:
        ResampleCTError: a loss or gradient that is not finite, or a checkpoint of another run.
    """
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if state["settings"] != asdict(settings):
            raise ResampleCTError(
                f"{checkpoint}: written with {state['settings']}, expected {asdict(settings)}; "
                "use the same options or another output folder"
            )
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        average, first = state["average"], state["step"]
    model.train()
    last_report = time.monotonic()
    for step in range(first, settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * settings.rate(step)
        value = loss(model, generator_of_step(settings.seed, step))
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        if not (torch.isfinite(value) and torch.isfinite(norm)):
            raise ResampleCTError(
                f"training step {step}: the loss is {value.item()} and its gradient {norm.item()}, "
                "expected finite numbers; lower the learning rate or look for non-finite values in "
                "the data"
            )
        optimiser.step()
        # A short memory at first, so that the random start is soon forgotten.
        decay = min(settings.ema_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, weight in model.state_dict().items():
                average[name].lerp_(weight, 1.0 - decay)
        if time.monotonic() - last_report > 5 or step + 1 == settings.steps:
            report(step + 1, value.item())
            last_report = time.monotonic()
        if (step + 1) % settings.checkpoint_every == 0 or step + 1 == settings.steps:
            _save(
                {
                    "settings": asdict(settings),
                    "model": model.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "average": average,
                    "step": step + 1,
                },
                checkpoint,
            )
    return average
