"""The precision that networks compute in; what they take and give stays in single precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Precision = Literal["float32", "bfloat16"]


def network_precision(precision: Precision, like: torch.Tensor) -> AbstractContextManager[object]:
    """A context for a network alone: convolutions in `precision` on the device of `like`.

    Never around a projector or a solver: bfloat16 holds three digits, and the measurement more.
    """
    if precision == "float32":
        return nullcontext()
    return torch.autocast(like.device.type, torch.bfloat16)
