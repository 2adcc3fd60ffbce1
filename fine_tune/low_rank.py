"""Low-rank adaptation (Hu et al. 2022): train W + U V, U and V thin, in place of W.

For a site with few slices or little memory: the optimiser holds U and V alone. It is merged into the
weights at the end, so that the bundle is like any other.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.utils import parametrize

_ADAPTED = nn.Conv2d, nn.ConvTranspose2d, nn.Linear


class _LowRank(nn.Module):
    """weight + up @ down, a weight's first axis against all others; adds nothing at the start."""

    def __init__(self, weight: torch.Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape[0], weight[0].numel()
        rank = min(rank, rows, columns)
        self.down = nn.Parameter(torch.randn(rank, columns) / math.sqrt(columns))
        self.up = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + (self.up @ self.down).view_as(weight)


def _adapted(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, _ADAPTED)]


def add_low_rank(network: nn.Module, rank: int) -> None:
    """Freeze every weight and put a trainable update of `rank` on each convolution and linear layer."""
    network.requires_grad_(False)
    for module in _adapted(network):
        weight = module.weight
        assert isinstance(weight, torch.Tensor)
        parametrize.register_parametrization(module, "weight", _LowRank(weight, rank))


def merge_low_rank(network: nn.Module) -> None:
    """Make the updates part of the weights; a network without updates stays as it is."""
    for module in list(_adapted(network)):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
