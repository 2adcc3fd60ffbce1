"""Gradient descent by Adam (Kingma and Ba 2015) on the residual of any differentiable model."""

from __future__ import annotations

from collections.abc import Callable

import torch

from resample_ct.solvers.solution import Solution, Stopped


def adam(
    residual_of: Callable[[torch.Tensor], torch.Tensor],
    start: torch.Tensor,
    tau: torch.Tensor,
    iterations: int,
    rate: float,
) -> Solution:
    """The point of each slice's lowest residual on Adam's way down from `start`.

    Args:
        residual_of: (B,) mean squared residual of a batch like `start`.
        start: (B, channels, row, column).
        tau: (B,) residual at which a slice is done.
        iterations: steps at most.
        rate: Adam's learning rate.
    """
    z = start.detach().clone().requires_grad_(iterations > 0)
    optimiser = torch.optim.Adam([z], lr=rate)
    best = start.detach().clone()
    lowest = torch.full((len(start),), float("inf"), device=start.device)
    used = torch.zeros(len(start), dtype=torch.int64, device=start.device)
    with torch.set_grad_enabled(iterations > 0):
        for step in range(iterations + 1):
            residual = residual_of(z)
            going_on = lowest > tau
            better = (residual.detach() < lowest) & going_on
            best[better], lowest[better] = z.detach()[better], residual.detach()[better].to(lowest)
            used[going_on] = step
            if step == iterations or bool((lowest <= tau).all()):
                break
            optimiser.zero_grad()
            residual.sum().backward()
            optimiser.step()
    reached = (lowest <= tau).tolist()
    stopped: list[Stopped] = ["noise level" if near else "iterations" for near in reached]
    return Solution(best, lowest, tuple(used.tolist()), tuple(stopped))
