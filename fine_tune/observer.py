"""Who watches a training: a progress bar, and TensorBoard."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from resample_ct.extras import needs_extra
from resample_ct.progress import Update

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Observer:
    """Tells a progress bar and, where a folder is given, TensorBoard how a training goes.

    Args:
        progress: called with steps done, steps in all, and what is at work.
        folder: of TensorBoard's files; None writes none.
    """

    def __init__(self, progress: Update, folder: Path | None) -> None:
        self._progress, self._folder = progress, folder
        self._writer: SummaryWriter | None = None
        self._name, self._steps, self._told, self._merit = "", 0, 0.0, ""

    def begin(self, name: str, step: int, steps: int) -> None:
        """A training starts, or continues, at `step`; what a killed run wrote later is left out."""
        self._name, self._steps, self._merit = name, steps, ""
        if self._folder is not None:
            with needs_extra("train"):
                from torch.utils.tensorboard import SummaryWriter
            self._writer = SummaryWriter(str(self._folder / name), purge_step=step)

    def step(self, step: int, loss: float, norm: float, rate: float) -> None:
        """A step is done."""
        if self._writer is not None:
            self._writer.add_scalar("loss", loss, step)
            self._writer.add_scalar("gradient norm", norm, step)
            self._writer.add_scalar("learning rate", rate, step)
        if time.monotonic() - self._told > 1 or step == self._steps:
            self._progress(step, self._steps, f"{self._name}, loss {loss:.4f}{self._merit}")
            self._told = time.monotonic()

    def validated(self, step: int, merit: float) -> None:
        """The held-out slices were judged."""
        self._merit = f", held out {merit:.4g}"
        if self._writer is not None:
            self._writer.add_scalar("held out", merit, step)
            self._writer.flush()

    def picture(self, step: int, picture: torch.Tensor) -> None:
        """(H, W) in [0, 1]: samples, or held-out slices."""
        if self._writer is not None:
            self._writer.add_image("held out", picture[None].clamp(0, 1), step)
            self._writer.flush()
