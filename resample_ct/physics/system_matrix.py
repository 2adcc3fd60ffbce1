"""The Radon transform as one sparse matrix.

Every ray is a row of the matrix. Joseph's method (IEEE Trans. Med. Imaging 1982): step along the
image axis that the ray follows most, one pixel line at a time, and interpolate linearly between the
two pixels that the ray passes there.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy import sparse

from resample_ct.physics.geometry import ParallelBeam


def _view(geometry: ParallelBeam, angle: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crossings of each of one view's rays, and image pixel and length of every crossing, ray by ray."""
    n = geometry.image_size
    cos, sin = np.cos(angle), np.sin(angle)
    s = (np.arange(geometry.n_detectors) - (geometry.n_detectors - 1) / 2) * geometry.detector_spacing
    line = np.arange(n)
    centre = (n - 1) / 2
    by_rows = abs(cos) >= abs(sin)
    if by_rows:
        y = centre - line
        place = (s[:, None] - y * sin) / cos + centre
    else:
        x = line - centre
        place = centre - (s[:, None] - x * cos) / sin
    first = np.floor(place)
    share = place - first
    weight = np.stack([1 - share, share], axis=-1)
    # Whole numbers beyond the image would not fit an int32 where a ray is far away.
    first = np.clip(first, -2, n).astype(np.int32)
    across = np.stack([first, first + 1], axis=-1)
    along = line.astype(np.int32)[:, None]
    pixel = along * n + across if by_rows else across * n + along
    inside = (across >= 0) & (across < n) & (weight > 0)
    length = weight[inside] / max(abs(cos), abs(sin))
    return inside.sum(axis=(1, 2)), pixel[inside], length.astype(np.float32)


def system_matrix(geometry: ParallelBeam) -> sparse.csr_array:
    """(angle * detector, row * column) matrix of crossing lengths in pixels, float32."""
    views = [_view(geometry, angle) for angle in geometry.angles]
    counts, pixels, lengths = (np.concatenate(column) for column in zip(*views, strict=True))
    shape = geometry.n_angles * geometry.n_detectors, geometry.image_size**2
    starts = np.concatenate([[0], np.cumsum(counts)])
    matrix = sparse.csr_array((lengths, pixels, starts.astype(np.int32)), shape)
    matrix.sort_indices()
    return matrix


def to_torch(matrix: sparse.csr_array, device: str) -> torch.Tensor:
    """The matrix in single precision, for products with dense columns."""
    with warnings.catch_warnings():
        # torch calls its CSR support a beta at first use; the law tests hold it to account.
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int32, copy=False)),
            torch.from_numpy(matrix.indices.astype(np.int32, copy=False)),
            torch.from_numpy(matrix.data.astype(np.float32, copy=False)),
            size=matrix.shape,
            check_invariants=True,
            device=device,
        )
