"""What networks that give slices learn by and are judged by, whatever they are shown."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from fine_tune.pictures import side_by_side
from resample_ct.metrics import psnr


class SliceTask(ABC):
    """The judgement of such a network on held-out slices.

    Args:
        shown: (N, 1, H, W) what it is shown of the held-out slices.
        held_out: (N, 1, H, W) the slices, in [0, 1].
    """

    def __init__(self, shown: torch.Tensor, held_out: torch.Tensor) -> None:
        self._shown, self._held_out = shown, held_out

    @abstractmethod
    def found(self, network: nn.Module) -> torch.Tensor:
        """(N, 1, H, W) in [0, 1], the held-out slices as the network makes them of what it is shown."""

    def validate(self, network: nn.Module) -> float:
        """Mean PSNR in dB on the held-out slices."""
        return float(psnr(self.found(network), self._held_out).mean())

    def picture(self, network: nn.Module) -> torch.Tensor:
        """Two held-out slices: what the network is shown, what it makes of that, truth."""
        rows = self._shown, self.found(network), self._held_out
        return side_by_side([row[:2] for row in rows])


def squared_error(found: torch.Tensor, slices: torch.Tensor) -> torch.Tensor:
    """Its mean, in units of 1 % of the window so that the numbers can be read."""
    return 1e4 * (found - slices).square().mean()


def in_one_pass(network: nn.Module, shown: torch.Tensor) -> torch.Tensor:
    """(N, 1, H, W) in [0, 1] what a network makes of images, four at a time."""
    device = next(network.parameters()).device
    return torch.cat([network(part.to(device)) for part in shown.split(4)]).clamp(0, 1).cpu()
