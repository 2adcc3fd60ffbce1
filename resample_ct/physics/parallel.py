"""The projector that everyone gets: one sparse matrix and its transpose.

The transpose is the exact adjoint by construction.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from scipy import sparse

from resample_ct.physics.geometry import Geometry
from resample_ct.physics.matrix_cache import cached_system_matrix
from resample_ct.physics.projector import Projector
from resample_ct.physics.radon_spectrum import RadonSpectrum, radon_spectrum
from resample_ct.physics.system_matrix import to_torch

# A product whose columns outgrow the processor's cache takes up to three times as long a slice: at
# 256 x 256 and 512 x 512, 16 and 8 images at once measured best, and 16 sinograms.
_PIXELS_AT_ONCE = 2**20
_IMAGES_AT_LEAST = 8
_SINOGRAMS_AT_ONCE = 16


class SparseProjector(Projector):
    """Line integrals in pixel units by one sparse product for a group of slices; float32."""

    def __init__(self, geometry: Geometry, device: str = "cpu") -> None:
        """Build matrix and transpose for `geometry` on `device`."""
        super().__init__(geometry)
        self._device = device
        self._images_at_once = max(_IMAGES_AT_LEAST, _PIXELS_AT_ONCE // geometry.image_size**2)
        matrix = cached_system_matrix(geometry)
        self._matrix = to_torch(matrix, device)
        self._transpose = to_torch(sparse.csr_array(matrix.T), device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See `LinearOperator`."""
        return _product(self._matrix, x, self._images_at_once, self.range_shape)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """See `LinearOperator`."""
        return _product(self._transpose, y, _SINOGRAMS_AT_ONCE, self.domain_shape)

    def spectrum(self) -> RadonSpectrum:
        """The singular value decomposition; see `radon_spectrum` for what it costs."""
        return radon_spectrum(self.geometry, self._device)


def _product(
    matrix: torch.Tensor, values: torch.Tensor, at_once: int, shape: tuple[int, int]
) -> torch.Tensor:
    """(B, 1, *shape) the matrix times each of B values, some at once, each group into its columns."""
    columns = values.new_empty(matrix.shape[0], len(values))
    for group, target in zip(values.split(at_once), columns.split(at_once, dim=1), strict=True):
        torch.mm(matrix, group.reshape(len(group), -1).T.contiguous(), out=target)
    return columns.T.reshape(-1, 1, *shape)


@lru_cache(maxsize=4)
def sparse_projector(geometry: Geometry, device: str) -> SparseProjector:
    """The projector of a geometry, built once."""
    return SparseProjector(geometry, device)
