"""Simultaneous iterative reconstruction technique (Gilbert 1972)."""

from __future__ import annotations

import torch

from resample_ct.operators.base import LinearOperator
from resample_ct.solvers.solution import Solution, mean_square


def _inverse(sums: torch.Tensor) -> torch.Tensor:
    """1 / sums, and 0 where no ray or pixel contributes."""
    return torch.where(sums > 1e-6, 1.0 / sums.clamp(min=1e-6), 0.0)


def sirt(
    operator: LinearOperator,
    y: torch.Tensor,
    iterations: int = 100,
    start: torch.Tensor | None = None,
) -> Solution:
    """Iterate x <- max(x + C A^T R (y - A x), 0), R and C the inverse row and column sums of A.

    Args:
        operator: A, with no negative entries.
        y: (B, 1, angle, detector).
        iterations: 10 and then 10 more from the result are 20.
        start: (B, 1, row, column) to go on from; zero without it.

    Returns:
        x, nowhere negative.
    """
    r = _inverse(operator(torch.ones(1, 1, *operator.domain_shape).to(y)))
    c = _inverse(operator.T(torch.ones(1, 1, *operator.range_shape).to(y)))
    x = y.new_zeros(y.shape[0], 1, *operator.domain_shape) if start is None else start
    for _ in range(iterations):
        x = (x + c * operator.T(r * (y - operator(x)))).clamp(min=0.0)
    return Solution.of_all(x, mean_square(operator(x) - y), iterations)
