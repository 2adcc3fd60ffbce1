"""A small task to train, and a kill from outside."""

from __future__ import annotations

import torch


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
