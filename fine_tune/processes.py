"""One training on several processes: `torchrun` starts them, this file shares the work.

A batch is drawn whole by each process, which then takes its part, so that any number of processes
gives the loss of one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from resample_ct.device import to_device
from resample_ct.errors import OptionError


@dataclass(frozen=True)
class Processes:
    """This process among all: `rank` of `count`, on `device`."""

    rank: int
    count: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def parts(self, tensors: tuple[torch.Tensor, ...], accumulate: int) -> list[tuple[torch.Tensor, ...]]:
        """This process's equal parts of a batch, one for each accumulation step.

        Raises OptionError where the batch cannot be parted equally.
        """
        batch = len(tensors[0])
        pieces = self.count * accumulate
        if batch % pieces:
            raise OptionError(
                f"--batch {batch}: found {self.count} processes with {accumulate} accumulation steps, "
                f"expected a multiple of {pieces}; change --batch or --accumulate"
            )
        size = batch // pieces
        starts = [(self.rank * accumulate + part) * size for part in range(accumulate)]
        return [tuple(to_device(t[s : s + size], self.device) for t in tensors) for s in starts]

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module, its gradients averaged over all processes."""
        if self.count == 1:
            return module
        # MONAI's AutoencoderKL has a layer for its variance, which no loss here asks for.
        return DistributedDataParallel(module, find_unused_parameters=True)

    def mean(self, value: float) -> float:
        """The mean of a figure over all processes."""
        if self.count == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return float(total) / self.count

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """The leading process goes in alone, the others once it is done and its files are written."""
        if self.count > 1 and not self.leads:
            distributed.barrier()
        yield
        if self.count > 1 and self.leads:
            distributed.barrier()


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """Join the other processes that `torchrun` started; alone without it."""
    if "RANK" not in os.environ:
        yield Processes(0, 1, torch.device(device))
        return
    local, backend = torch.device(device), "gloo"
    if device == "cuda":
        local, backend = torch.device("cuda", int(os.environ["LOCAL_RANK"])), "nccl"
        torch.cuda.set_device(local)
    distributed.init_process_group(backend)
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size(), local)
    finally:
        distributed.destroy_process_group()
