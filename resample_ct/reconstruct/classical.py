"""The classical methods as Reconstructors: the floor that a learned method must beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from resample_ct.errors import OptionError
from resample_ct.physics.projector import Projector
from resample_ct.reconstruct.base import Measurement
from resample_ct.solvers import cg, fbp, sirt, tv
from resample_ct.solvers.solution import Solution


@dataclass(frozen=True)
class FBP:
    """Filtered back-projection; `filter` is ramp, hann, shepp-logan or cosine."""

    filter: str = "ramp"

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`. Raises OptionError for an operator that is no Radon transform."""
        if not isinstance(measurement.operator, Projector):
            name = type(measurement.operator).__name__
            raise OptionError(
                f"method fbp: found operator {name}, expected a projector of rays; choose another"
            )
        image = fbp.fbp(measurement.operator.geometry, measurement.sinogram, self.filter)
        return measurement.solution(image)


@dataclass(frozen=True)
class CGLS:
    """Least squares by conjugate gradients, stopped early."""

    iterations: int = 20

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`."""
        return cg.cgls(measurement.linear, measurement.sinogram, self.iterations)


@dataclass(frozen=True)
class SIRT:
    """Simultaneous iterative reconstruction."""

    iterations: int = 100

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`."""
        return sirt.sirt(measurement.linear, measurement.sinogram, self.iterations)


@dataclass(frozen=True)
class TV:
    """Total variation by Chambolle-Pock, its weight set by the noise."""

    iterations: int = tv.DEFAULT_ITERATIONS

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`."""
        operator, y = measurement.linear, measurement.sinogram
        start = cg.cgls(operator, y, 10).x.clamp(min=0.0)
        return tv.tv(operator, y, tv.weight_for_noise(measurement.noise_variance), self.iterations, start)
