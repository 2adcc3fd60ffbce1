"""The paper's tasks on images: a name, and the operator that it has to undo."""

from __future__ import annotations

from collections.abc import Callable

import torch

from resample_ct.operators.base import LinearOperator, Operator
from resample_ct.operators.image.gaussian_blur import gaussian_blur
from resample_ct.operators.image.inpainting import KeptPixels
from resample_ct.operators.image.nonlinear_blur import NonlinearBlur
from resample_ct.operators.image.super_resolution import downsampling

TASKS: dict[str, Callable[[int, int, int, str], Operator]] = {
    "super-resolution": lambda size, channels, seed, device: downsampling(size, channels, device=device),
    "inpainting": lambda size, channels, seed, device: KeptPixels(
        size, channels, seed=seed, device=device
    ),
    "gaussian-deblur": lambda size, channels, seed, device: gaussian_blur(size, channels, device=device),
    "nonlinear-deblur": lambda size, channels, seed, device: NonlinearBlur(
        size, channels, seed=seed, device=device
    ),
}


def degraded_picture(operator: Operator, y: torch.Tensor) -> torch.Tensor:
    """What was measured, as an image (B, channels, row, column): lost pixels are 0."""
    if operator.range_shape[0] > 1:
        return y
    assert isinstance(operator, LinearOperator)
    return operator.T(y)
