"""The exact singular value decomposition of a parallel-beam projector.

A is 9,100 x 65,536 at 25 views of 256 pixels: too large to decompose as it stands. A A^T (9,100 squared)
has its eigenvectors U and its eigenvalues s^2, and V^T = S^-1 U^T A needs no storage beside A. Its size
falls further by symmetry: turning the square image by 180 degrees reverses each view's detector, and
mirroring it maps the view at angle a to that at pi - a, where there is one. Both commute with A A^T, so
that it splits into two or four blocks, each decomposed alone in double precision: sixteen times less
work for evenly spaced views, without any approximation.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from scipy import linalg, sparse

from resample_ct.errors import OptionError
from resample_ct.operators.spectrum import Spectrum
from resample_ct.physics.geometry import Geometry, ParallelBeam
from resample_ct.physics.sparse_product import to_torch
from resample_ct.physics.system_matrix import system_matrix

# Directions below are lost in single precision, and in noise long before.
_SMALLEST = 1e-4
# A block of this many rays takes minutes and 2 GB.
_LARGEST_BLOCK = 8000


def _mirrored_views(geometry: ParallelBeam) -> np.ndarray | None:
    """For each view the one that the image's mirror image has there; None if one is missing."""
    angles = np.mod(geometry.angles, math.pi)
    gaps = np.abs(np.mod(math.pi - angles, math.pi)[:, None] - angles)
    gaps = np.minimum(gaps, math.pi - gaps)
    partner = gaps.argmin(axis=1)
    close = gaps[np.arange(len(angles)), partner] < 1e-9
    return partner if close.all() and (partner[partner] == np.arange(len(angles))).all() else None


def _reversals(geometry: ParallelBeam, partner: np.ndarray) -> np.ndarray:
    """Whether the mirrored view's detector runs the other way, for each view.

    The ray {x cos a + y sin a = s} mirrors to {-x cos a + y sin a = s}, which is the ray s at pi - a, and
    the ray -s at that angle less pi.
    """
    angles = np.array(geometry.angles)
    turns = (math.pi - angles - angles[partner]) / math.pi
    return np.mod(np.round(turns), 2) == 1


def _symmetric_bases(geometry: ParallelBeam) -> list[sparse.csr_array]:
    """Orthonormal bases (rays, size), one for each behaviour of a sinogram under the symmetries."""
    views, detectors = geometry.sinogram_shape
    rays = np.arange(views * detectors).reshape(views, detectors)
    images = [rays.ravel(), rays[:, ::-1].ravel()]
    signs: list[tuple[int, ...]] = [(1, 1), (1, -1)]
    partner = _mirrored_views(geometry)
    if partner is not None:
        mirror = np.where(_reversals(geometry, partner)[:, None], rays[partner][:, ::-1], rays[partner])
        images += [mirror.ravel(), mirror[:, ::-1].ravel()]
        signs = [(1, a, b, a * b) for a in (1, -1) for b in (1, -1)]
    bases = []
    for sign in signs:
        total = sparse.csr_array((len(rays.ravel()), len(rays.ravel())))
        for image, value in zip(images, sign, strict=True):
            entries = np.full(len(image), value / len(images))
            total = total + sparse.csr_array((entries, (image, np.arange(len(image)))), total.shape)
        # Columns of a projection: one of each orbit, those that cancel left out.
        leaders = np.min(images, axis=0) == images[0]
        columns = total.tocsc()[:, leaders]
        lengths = np.sqrt(np.asarray(columns.multiply(columns).sum(axis=0)).ravel())
        kept = lengths > 1e-9
        bases.append((columns[:, kept] / lengths[kept]).tocsr())
    return bases


class RadonSpectrum(Spectrum):
    """Block by block; in single precision once decomposed."""

    def __init__(self, geometry: ParallelBeam, device: str = "cpu") -> None:
        """Decompose. Raises OptionError for a geometry of too many rays."""
        matrix = system_matrix(geometry).astype(np.float64)
        self._geometry = geometry
        left, values = [], []
        for basis in _symmetric_bases(geometry):
            if basis.shape[1] > _LARGEST_BLOCK:
                raise OptionError(
                    f"--angles {geometry.n_angles}: found {basis.shape[1]} rays in one block of the "
                    f"singular value decomposition, expected at most {_LARGEST_BLOCK}; use fewer views, "
                    "evenly spaced, or another method"
                )
            block = basis.T @ matrix
            squares, vectors = linalg.eigh((block @ block.T).toarray(), driver="evd", overwrite_a=True)
            values.append(np.sqrt(np.maximum(squares, 0)))
            left.append((basis, vectors))
        cutoff = _SMALLEST * max(v.max() for v in values)
        self._left = []
        for (basis, vectors), value in zip(left, values, strict=True):
            kept = value > cutoff
            self._left.append(
                (
                    to_torch(basis, device),
                    to_torch(sparse.csr_array(basis.T), device),
                    torch.from_numpy(vectors[:, kept]).float().to(device),
                )
            )
        self._values = (
            torch.from_numpy(np.concatenate([v[v > cutoff] for v in values])).float().to(device)
        )
        self._matrix = to_torch(matrix, device)
        self._transpose = to_torch(sparse.csr_array(matrix.T), device)

    @property
    def singular_values(self) -> torch.Tensor:
        """(n,), grouped by block."""
        return self._values

    def measured(self, y: torch.Tensor) -> torch.Tensor:
        """See `Spectrum`."""
        columns = y.reshape(len(y), -1).T.contiguous()
        parts = [vectors.T @ (transpose @ columns) for _, transpose, vectors in self._left]
        return torch.cat(parts).T[:, None]

    def analyse(self, x: torch.Tensor) -> torch.Tensor:
        """See `Spectrum`."""
        sinogram = (self._matrix @ x.reshape(len(x), -1).T.contiguous()).T
        return self.measured(sinogram) / self._values

    def synthesise(self, coefficients: torch.Tensor) -> torch.Tensor:
        """See `Spectrum`."""
        scaled = (coefficients[:, 0] / self._values).T
        sizes = [vectors.shape[1] for _, _, vectors in self._left]
        sinogram = torch.stack(
            [
                basis @ (vectors @ part)
                for (basis, _, vectors), part in zip(self._left, scaled.split(sizes), strict=True)
            ]
        ).sum(dim=0)
        return (self._transpose @ sinogram).T.reshape(-1, 1, *self._geometry.image_shape)


@lru_cache(maxsize=2)
def radon_spectrum(geometry: Geometry, device: str = "cpu") -> RadonSpectrum:
    """The decomposition of a geometry, made once. Raises OptionError for rays of other symmetries."""
    if not isinstance(geometry, ParallelBeam) or geometry.detector_offset != 0.0:
        raise OptionError(
            "singular value decomposition: found rays without the symmetries of a centred parallel beam, "
            "which it needs; choose another method, as dds"
        )
    return RadonSpectrum(geometry, device)
