"""Pictures of held-out slices and samples for TensorBoard and the docs."""

from __future__ import annotations

from collections.abc import Sequence

import torch

# Relative attenuation that is shown from black to white: -1000 to 600 HU of the usual window.
_WHITE = 1600.0 / 3000.0


def side_by_side(columns: Sequence[torch.Tensor]) -> torch.Tensor:
    """Columns of (B, 1, H, W) in [0, 1] as one picture (B * H, columns * W) from black to white."""
    stacked = [torch.cat(list(column[:, 0])) for column in columns]
    return (torch.cat(stacked, dim=1) / _WHITE).clamp(0, 1)


def grid(images: torch.Tensor, across: int = 4) -> torch.Tensor:
    """(B, 1, H, W) in [0, 1], B a multiple of `across`, as rows of `across` images."""
    return side_by_side([images[column::across] for column in range(across)])
