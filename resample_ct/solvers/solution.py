"""What a solver found, and why it stopped there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

Stopped = Literal["direct", "iterations", "converged", "noise level"]
"""Why a slice's solution ends where it does.

- "direct": it was computed in one pass, which has no iterations;
- "iterations": all iterations that were asked for were done, which is how most methods regularise;
- "converged": another iteration would change no more than rounding, or find nothing better;
- "noise level": the residual reached what the noise explains, beyond which noise would be fitted.
"""


@dataclass(frozen=True)
class Solution:
    """A batch of images, and for each slice how well it fits, how long it took and why it stopped.

    Attributes:
        x: (B, channels, row, column), not clipped.
        residual: (B,) mean of (A x - y)^2 over the measured values.
        iterations: of each slice, those of the outermost loop.
        stopped: why, of each slice.
    """

    x: torch.Tensor
    residual: torch.Tensor
    iterations: tuple[int, ...]
    stopped: tuple[Stopped, ...]

    @classmethod
    def of_all(
        cls, x: torch.Tensor, residual: torch.Tensor, iterations: int, stopped: Stopped = "iterations"
    ) -> Solution:
        """A solution whose slices took the same iterations and stopped for the same reason."""
        return cls(x, residual, (iterations,) * len(x), (stopped,) * len(x))


def mean_square(a: torch.Tensor) -> torch.Tensor:
    """The mean of each slice's squared values, (B,)."""
    return a.square().mean(dim=(1, 2, 3))
