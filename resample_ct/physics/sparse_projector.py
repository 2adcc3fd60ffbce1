"""The projector that everyone gets: one sparse matrix and its transpose, for any geometry.

The transpose is the exact adjoint by construction.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from scipy import sparse

from resample_ct.physics.geometry import Geometry
from resample_ct.physics.projector import Projector
from resample_ct.physics.radon_spectrum import RadonSpectrum, radon_spectrum
from resample_ct.physics.sparse_product import product, to_torch
from resample_ct.physics.system_matrix import system_matrix


class SparseProjector(Projector):
    """Line integrals in pixel units by one sparse product for a group of slices; float32."""

    def __init__(self, geometry: Geometry, device: str = "cpu") -> None:
        """Build matrix and transpose for `geometry` on `device`."""
        super().__init__(geometry)
        self._device = device
        matrix = system_matrix(geometry)
        self._matrix = to_torch(matrix, device)
        self._transpose = to_torch(sparse.csr_array(matrix.T), device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See `LinearOperator`."""
        return product(self._matrix, x, self.range_shape)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """See `LinearOperator`."""
        return product(self._transpose, y, self.domain_shape)

    def spectrum(self) -> RadonSpectrum:
        """The singular value decomposition; see `radon_spectrum` for what it costs."""
        return radon_spectrum(self.geometry, self._device)


@lru_cache(maxsize=4)
def sparse_projector(geometry: Geometry, device: str) -> SparseProjector:
    """The projector of a geometry, built once."""
    return SparseProjector(geometry, device)
