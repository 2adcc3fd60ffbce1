"""Where ReSample may start from, if networks were trained for the measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from resample_ct.reconstruct.base import Measurement, Reconstructor
from resample_ct.reconstruct.classical import TV


class TrainedReconstructor(Reconstructor, Protocol):
    """A method that knows what its networks were trained for."""

    def fits(self, measurement: Measurement) -> bool:
        """Whether they were trained for such a measurement."""
        ...


@dataclass(frozen=True)
class LearnedEstimate:
    """A trained method, or TV for a measurement that it was not trained for."""

    method: TrainedReconstructor

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> torch.Tensor:
        """See `Reconstructor`."""
        method: Reconstructor = self.method if self.method.fits(measurement) else TV()
        return method(measurement, generators)
