"""The classical methods as Reconstructors: the floor that a learned method must beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from resample_ct.reconstruct.base import Measurement
from resample_ct.solvers.cg import cgls
from resample_ct.solvers.fbp import fbp
from resample_ct.solvers.sirt import sirt
from resample_ct.solvers.tv import tv


@dataclass(frozen=True)
class FBP:
    """Filtered back-projection; `filter` is ramp, hann, shepp-logan or cosine."""

    filter: str = "ramp"

    def __call__(
        self, measurement: Measurement, generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        """See `Reconstructor`."""
        return fbp(measurement.operator, measurement.sinogram, filter=self.filter)


@dataclass(frozen=True)
class CGLS:
    """Least squares by conjugate gradients, with the solver's defaults."""

    def __call__(
        self, measurement: Measurement, generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        """See `Reconstructor`."""
        return cgls(measurement.operator, measurement.sinogram)


@dataclass(frozen=True)
class SIRT:
    """Simultaneous iterative reconstruction, with the solver's defaults."""

    def __call__(
        self, measurement: Measurement, generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        """See `Reconstructor`."""
        return sirt(measurement.operator, measurement.sinogram)


@dataclass(frozen=True)
class TV:
    """Total variation by Chambolle-Pock, with the solver's defaults (weight tuned on training data)."""

    def __call__(
        self, measurement: Measurement, generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        """See `Reconstructor`."""
        return tv(measurement.operator, measurement.sinogram)
