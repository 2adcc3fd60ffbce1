"""One batch of slices by one method: what the pipeline and a notebook both call."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from resample_ct.prior.latent import LatentPrior
from resample_ct.reconstruct.base import Measurement, Reconstructor
from resample_ct.reconstruct.trust import judge
from resample_ct.reconstruct.uncertainty import HasSpread
from resample_ct.solvers.solution import Stopped


@dataclass(frozen=True)
class BatchResult:
    """A method's result on N slices, on the CPU.

    Attributes:
        image: (N, 1, row, column) relative attenuation in [0, 1].
        spread: (N, 1, row, column) its standard deviation, None where the method gives none.
        residual: mean squared data residual of each slice.
        iterations: of the method's last solver, of each slice.
        stopped: why that solver stopped, of each slice, see `resample_ct.solvers.solution`.
        trust: figures of each slice that say how far to trust a latent prior, see `Trust`; empty for a
            method without one.
        seconds: of each slice.
    """

    image: torch.Tensor
    spread: torch.Tensor | None
    residual: list[float]
    iterations: tuple[int, ...]
    stopped: tuple[Stopped, ...]
    trust: list[dict[str, Any]]
    seconds: float


def reconstruct_slices(
    method: Reconstructor,
    measurement: Measurement,
    generators: Sequence[torch.Generator],
    prior: LatentPrior | None,
) -> BatchResult:
    """Reconstruct a batch and judge it.

    Args:
        method: that reconstructs.
        measurement: of N slices.
        generators: N, for the method's random numbers.
        prior: the latent prior that the method runs, which then judges the result.
    """
    began = time.perf_counter()
    spread = None
    if isinstance(method, HasSpread):
        found, spread = method.with_spread(measurement, generators)
    else:
        found = method(measurement, generators)
    image = found.x.clamp(0.0, 1.0)
    seconds = (time.perf_counter() - began) / len(generators)
    trust: list[dict[str, Any]] = [{} for _ in generators]
    if prior is not None:
        trust = [judged.record() for judged in judge(prior, measurement, image, spread)]
    return BatchResult(
        image=image.cpu(),
        spread=None if spread is None else spread.cpu(),
        residual=measurement.residual(image).tolist(),
        iterations=found.iterations,
        stopped=found.stopped,
        trust=trust,
        seconds=seconds,
    )
