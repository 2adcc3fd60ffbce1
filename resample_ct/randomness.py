"""Normal noise whose slices do not depend on one another."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def randn(shape: torch.Size, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Normal noise (B, ...), slice b from generator b, so a slice does not depend on its batch."""
    slices = zip(range(shape[0]), generators, strict=True)
    return torch.stack([torch.randn(shape[1:], generator=g) for _, g in slices])
