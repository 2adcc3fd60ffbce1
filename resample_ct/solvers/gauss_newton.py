"""Gauss-Newton for nonlinear least squares (Nocedal and Wright 2006, chapter 10.3)."""

from __future__ import annotations

from collections.abc import Callable

import torch

from resample_ct.solvers.cg import conjugate_gradient
from resample_ct.solvers.solution import Solution, Stopped, mean_square

# Times that a step too long for a slice is halved before that slice stays where it is.
_HALVINGS = 6


def gauss_newton(
    model: Callable[[torch.Tensor], torch.Tensor],
    y: torch.Tensor,
    start: torch.Tensor,
    tau: torch.Tensor,
    iterations: int,
    between: int,
    damping: float,
) -> Solution:
    """argmin_z ||model(z) - y||^2 from `start`, each slice on its own.

    Each step solves (J^T J + damping) dz = J^T (y - model(z)) by conjugate gradients. J is never formed:
    J^T comes from back-propagation, and J from back-propagation through that, so that both are of one J,
    the one of gradient descent, also where a network rounds or quantises.

    Args:
        model: twice differentiable, (B, ...) to the shape of `y`.
        y: (B, channels, row, column), what it should give.
        start: (B, channels, row, column).
        tau: (B,) mean squared residual at which a slice is done.
        iterations: of conjugate gradients at most, in all.
        between: of them from one linearisation to the next.
        damping: Levenberg's.

    Returns:
        z, nowhere of a larger residual than `start`: at most `tau` where the noise level was reached;
        converged where no step, however short, came nearer.
    """
    z = start.detach()
    with torch.no_grad():
        residual = mean_square(model(z) - y)
    going_on = torch.ones(len(start), dtype=torch.bool, device=start.device)
    used = torch.zeros(len(start), dtype=torch.int64, device=start.device)
    for done in range(0, iterations, between):
        going_on = going_on & (residual > tau)
        if not bool(going_on.any()):
            break
        used[going_on] = min(done + between, iterations)
        linear = _Linearised(model, z)
        dz = linear.step_towards(y, damping, min(between, iterations - done))
        # Its graph is as large as the next one's.
        del linear
        dz = dz * going_on.view(-1, 1, 1, 1)
        z, found = _far_enough(lambda z: mean_square(model(z) - y), z, dz, residual)
        # From where it stands a slice that did not move would only be given the same step again.
        going_on, residual = going_on & (found < residual), found
    reached = (residual <= tau).tolist()
    stopped: list[Stopped] = [
        "noise level" if near else "iterations" if more else "converged"
        for near, more in zip(reached, going_on.tolist(), strict=True)
    ]
    return Solution(z, residual, tuple(used.tolist()), tuple(stopped))


def _far_enough(
    residual_of: Callable[[torch.Tensor], torch.Tensor],
    z: torch.Tensor,
    dz: torch.Tensor,
    residual: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum z + dz, dz halved for each slice until its residual falls; and the residual there."""
    with torch.no_grad():
        for _ in range(_HALVINGS):
            found = residual_of(z + dz)
            lower = found < residual
            if bool((lower | (dz == 0).flatten(1).all(dim=1)).all()):
                break
            dz = torch.where(lower.view(-1, 1, 1, 1), dz, dz / 2)
        return torch.where(lower.view(-1, 1, 1, 1), z + dz, z), torch.where(lower, found, residual)


class _Linearised:
    """model(z + dz) = value + J dz."""

    def __init__(self, model: Callable[[torch.Tensor], torch.Tensor], z: torch.Tensor) -> None:
        with torch.enable_grad():
            self._z = z.detach().requires_grad_(True)
            self._value = model(self._z)
            # J^T u is linear in u, whatever u is: what transposes it is J.
            self._u = torch.zeros_like(self._value).requires_grad_(True)
            (self._pulled,) = torch.autograd.grad(self._value, self._z, self._u, create_graph=True)
        self.value = self._value.detach()

    def step_towards(self, y: torch.Tensor, damping: float, iterations: int) -> torch.Tensor:
        """The dz that brings the linear model to `y`, as far as damping and iterations let it."""
        return conjugate_gradient(
            lambda dz: self._transposed(self._along(dz)) + damping * dz,
            self._transposed(y - self.value),
            iterations,
        ).x

    def _along(self, dz: torch.Tensor) -> torch.Tensor:
        (moved,) = torch.autograd.grad(self._pulled, self._u, dz, retain_graph=True)
        return moved

    def _transposed(self, u: torch.Tensor) -> torch.Tensor:
        (gradient,) = torch.autograd.grad(self._value, self._z, u, retain_graph=True)
        return gradient
