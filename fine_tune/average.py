"""The exponential moving average of a network's weights, which is what a training gives."""

from __future__ import annotations

import torch
from torch import nn

State = dict[str, torch.Tensor]


def start_average(network: nn.Module) -> State:
    """A copy of the weights to start from."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def update_average(average: State, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the network; a short memory at first forgets the random start."""
    share = 1.0 - min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                average[name].lerp_(value, share)
            else:
                average[name].copy_(value)
