"""Conjugate gradients: least squares, and the two pixel-space data-consistency steps."""

from __future__ import annotations

from collections.abc import Callable

import torch

from resample_ct.operators.base import LinearOperator


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Inner product of each slice, shaped to multiply it."""
    return (a * b).sum(dim=(1, 2, 3), keepdim=True)


def _ratio(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The ratio a / b, and 0 where b has vanished: such a slice is solved and stays where it is."""
    return torch.where(b > 0, a / b.clamp(min=1e-30), 0.0)


def conjugate_gradient(
    apply: Callable[[torch.Tensor], torch.Tensor], b: torch.Tensor, iterations: int
) -> torch.Tensor:
    """Solve M x = b for a symmetric positive semi-definite M, from zero, each slice on its own.

    A slice whose residual has vanished stays where it is; there is no other stop, so that the
    number of iterations is the regularisation that the caller asked for.
    """
    x = torch.zeros_like(b)
    residual = b.clone()
    direction = residual.clone()
    norm = _dot(residual, residual)
    for _ in range(iterations):
        image = apply(direction)
        step = _ratio(norm, _dot(direction, image))
        x = x + step * direction
        residual = residual - step * image
        following = _dot(residual, residual)
        direction = residual + _ratio(following, norm) * direction
        norm = following
    return x


def cgls(operator: LinearOperator, y: torch.Tensor, iterations: int = 20) -> torch.Tensor:
    """The argmin ||A x - y||^2 from zero (Hestenes and Stiefel 1952), stopped early.

    Args:
        operator: A.
        y: (B, channels, *A.range_shape).
        iterations: the regularisation; at 25 views 40 gave less than 0.1 dB more than 20 on training
            slices.

    Returns:
        (B, channels, row, column), not clipped.
    """
    transpose = operator.T
    x = y.new_zeros(y.shape[0], operator.channels, *operator.domain_shape)
    residual = y
    direction = slope = transpose(residual)
    norm = _dot(slope, slope)
    for _ in range(iterations):
        image = operator(direction)
        step = _ratio(norm, _dot(image, image))
        x = x + step * direction
        # The residual of the data itself: that of the normal equations drifts in single precision.
        residual = residual - step * image
        slope = transpose(residual)
        following = _dot(slope, slope)
        direction = slope + _ratio(following, norm) * direction
        norm = following
    return x


def pseudo_inverse_step(
    operator: LinearOperator, y: torch.Tensor, x: torch.Tensor, iterations: int, kappa: float
) -> torch.Tensor:
    """Paper eq. 16: x - kappa (A^+ A x - A^+ y), A^+ = A^T (A A^T)^-1 by conjugate gradients.

    A A^T has no inverse where rays miss the image, and conjugate gradients on it diverge once those
    rays hold noise. Least squares from zero has the same limit, A^+ (A x - y), and always converges.
    """
    return x - kappa * cgls(operator, operator(x) - y, iterations)


def regularised_data_consistency(
    operator: LinearOperator,
    y: torch.Tensor,
    x: torch.Tensor,
    weight: float | torch.Tensor,
    iterations: int,
) -> torch.Tensor:
    """argmin_v ||A v - y||^2 + weight ||v - x||^2.

    Args:
        operator: A.
        y: (B, channels, *A.range_shape).
        x: (B, channels, row, column), what the prior believes.
        weight: a number, or (B, 1, 1, 1) for one a slice.
        iterations: conjugate-gradient iterations, from x.
    """
    transpose = operator.T
    correction = conjugate_gradient(
        lambda v: transpose(operator(v)) + weight * v, transpose(y - operator(x)), iterations
    )
    return x + correction
