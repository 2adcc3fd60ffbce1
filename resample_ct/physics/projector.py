"""What both Radon backends share: a linear operator that knows its rays."""

from __future__ import annotations

import torch

from resample_ct.operators.base import LinearOperator
from resample_ct.physics.geometry import Geometry


class Projector(LinearOperator):
    """The Radon transform of a geometry, in pixel units; a backend adds forward and adjoint."""

    dtype = torch.float32

    def __init__(self, geometry: Geometry) -> None:
        """Keep the geometry."""
        self.geometry = geometry

    @property
    def domain_shape(self) -> tuple[int, int]:
        """(row, column)."""
        return self.geometry.image_shape

    @property
    def range_shape(self) -> tuple[int, int]:
        """(angle, detector)."""
        return self.geometry.sinogram_shape
