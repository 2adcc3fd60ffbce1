"""Whether torch can use the device that was asked for."""

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
