"""Gauss-Newton for nonlinear least squares (Nocedal and Wright 2006, chapter 10.3)."""

from __future__ import annotations

from collections.abc import Callable

import torch

from resample_ct.solvers.cg import conjugate_gradient, slice_norm

# Of a finite difference, in units of the direction's root mean square: the decoders are smooth over a
# hundredth of a latent's standard deviation, and single precision leaves four digits of the quotient.
_DIFFERENCE = 1e-2
# Times that a step too long for a slice is halved before that slice stays where it is.
_HALVINGS = 6


def gauss_newton(
    model: Callable[[torch.Tensor], torch.Tensor],
    y: torch.Tensor,
    start: torch.Tensor,
    tau: torch.Tensor,
    steps: int,
    iterations: int,
    damping: float,
) -> torch.Tensor:
    """argmin_z ||model(z) - y||^2 from `start`, each slice on its own.

    Each step solves (J^T J + damping) dz = J^T (y - model(z)) by a few conjugate-gradient iterations.
    J is never formed: J^T comes from back-propagation, J from a finite difference, so that an iteration
    costs what one of gradient descent does.

    Args:
        model: differentiable, (B, ...) to the shape of `y`.
        y: (B, channels, row, column), what it should give.
        start: (B, channels, row, column).
        tau: (B,) mean squared residual at which a slice is done.
        steps: linearisations at most.
        iterations: of conjugate gradients in each.
        damping: Levenberg's.

    Returns:
        (B, channels, row, column), nowhere of a larger residual than `start`.
    """
    z, residual = start.detach(), None
    for _ in range(steps):
        linear = _Linearised(model, z)
        residual = _mean_square(linear.value - y) if residual is None else residual
        going_on = residual > tau
        if not bool(going_on.any()):
            break
        dz = linear.step_towards(y, damping, iterations) * going_on.view(-1, 1, 1, 1)
        z, residual = _far_enough(lambda z: _mean_square(model(z) - y), z, dz, residual)
    return z


def _mean_square(a: torch.Tensor) -> torch.Tensor:
    return a.square().mean(dim=(1, 2, 3))


def _far_enough(
    residual_of: Callable[[torch.Tensor], torch.Tensor],
    z: torch.Tensor,
    dz: torch.Tensor,
    residual: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Z + dz, with dz halved for each slice until its residual falls; and the residual there."""
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
        self._model = model
        with torch.enable_grad():
            self._z = z.detach().requires_grad_(True)
            self._value = model(self._z)
        self.value = self._value.detach()

    def step_towards(self, y: torch.Tensor, damping: float, iterations: int) -> torch.Tensor:
        """The dz that brings the linear model to `y`, as far as damping and iterations let it."""
        return conjugate_gradient(
            lambda dz: self._transposed(self._along(dz)) + damping * dz,
            self._transposed(y - self.value),
            iterations,
        )

    def _along(self, dz: torch.Tensor) -> torch.Tensor:
        size = slice_norm(dz) / dz[0].numel() ** 0.5
        share = torch.where(size > 0, _DIFFERENCE / size.clamp(min=1e-30), 0.0)
        with torch.no_grad():
            moved = self._model(self._z + share * dz)
        return torch.where(share > 0, (moved - self.value) / share.clamp(min=1e-30), 0.0)

    def _transposed(self, u: torch.Tensor) -> torch.Tensor:
        (gradient,) = torch.autograd.grad(self._value, self._z, u, retain_graph=True)
        return gradient
