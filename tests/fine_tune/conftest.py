"""A small task to train, and helpers to start and kill trainings."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fine_tune.observer import Observer
from fine_tune.processes import Processes
from resample_ct.progress import silent


class Killed(BaseException):
    """Ends a run from outside."""


class SumTask:
    """Learn the sum of four numbers; batches depend on their generator alone."""

    name = "sum"

    def __init__(self, kill_at=None, merits=None):
        self.calls, self.kill_at, self.merits = 0, kill_at, merits

    def batch(self, size, generator):
        if self.calls == self.kill_at:
            raise Killed
        self.calls += 1
        x = torch.randn(size, 4, generator=generator)
        return x, x.sum(dim=1, keepdim=True)

    def loss(self, network, *batch):
        x, y = batch
        return (network(x) - y).square().mean()

    def validate(self, network):
        if self.merits is not None:
            return next(self.merits)
        x, y = SumTask().batch(64, torch.Generator().manual_seed(123))
        return -float((network(x) - y).square().mean().detach())

    def picture(self, network):
        return torch.zeros(4, 4)


@pytest.fixture
def network():
    """Makes the same small network each time."""

    def make():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 1))

    return make


@pytest.fixture
def alone():
    """One process, on the CPU."""
    return Processes(0, 1, torch.device("cpu"))


@pytest.fixture
def unwatched():
    """Nobody watches."""
    return Observer(silent, None)
