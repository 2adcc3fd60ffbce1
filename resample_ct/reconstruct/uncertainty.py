"""How far the samples of the posterior lie apart, as the standard deviation to expect of each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch.nn.functional import conv2d, pad

from resample_ct.reconstruct.base import Measurement
from resample_ct.solvers.solution import Solution

# Fitted to the errors on the held-out validation patients by `benchmarks/calibration.py`: how much the
# samples' variance and the squared distance from their mean to the result count, and what neither shows.
_OF_SAMPLES, _OF_DISTANCE, _FLOOR = 4.5, 2.66, 0.0053
_SMOOTHING_PIXELS = 2.0


@runtime_checkable
class HasSpread(Protocol):
    """A method that also says how sure it is."""

    def with_spread(
        self, measurement: Measurement, generators: Sequence[torch.Generator]
    ) -> tuple[Solution, torch.Tensor | None]:
        """Solution, and (B, 1, H, W) its standard deviation where several samples were drawn."""
        ...


def expected_error(samples: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W) standard deviation of `image` in relative attenuation.

    A few samples say little about a single pixel, so their variance is averaged over the neighbours. The
    distance counts as well, because what the measurement changed the prior did not know. It is never
    more than 1, the whole HU window: a prior that knows nothing knows that much.

    Args:
        samples: (S, B, 1, H, W) drawn by the prior, S at least 2.
        image: (B, 1, H, W) the result.
    """
    variance, distance = spread_terms(samples, image)
    return (_OF_SAMPLES * variance + _OF_DISTANCE * distance + _FLOOR**2).sqrt().clamp(max=1.0)


def spread_terms(samples: torch.Tensor, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The samples' variance and the squared distance of their mean to the image, both smoothed."""
    return _smooth(samples.var(dim=0)), _smooth((samples.mean(dim=0) - image).square())


def _smooth(image: torch.Tensor) -> torch.Tensor:
    """Gaussian mean over the neighbours."""
    radius = round(3 * _SMOOTHING_PIXELS)
    offsets = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (offsets / _SMOOTHING_PIXELS).square())
    kernel = kernel / kernel.sum()
    image = pad(image, (radius, radius, radius, radius), mode="replicate")
    image = conv2d(image, kernel.view(1, 1, 1, -1))
    return conv2d(image, kernel.view(1, 1, -1, 1))
