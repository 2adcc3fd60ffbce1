"""The device that was asked for: whether torch can use it, and the way there."""

from __future__ import annotations

import torch

from resample_ct.errors import OptionError


def check_device(device: str) -> None:
    """Raise OptionError for one that this machine does not have."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise OptionError(
            f"--device {device}: not usable on this machine, expected cpu, or cuda with a GPU"
        ) from None


def to_device(tensor: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """The tensor on `device`; to a GPU from pinned memory, while the CPU goes on."""
    if torch.device(device).type == "cuda" and not tensor.is_cuda:
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
