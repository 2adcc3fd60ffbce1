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
    """Detector pixel, image pixel and length of every crossing of one view's rays."""
    n = geometry.image_size
    cos, sin = np.cos(angle), np.sin(angle)
    s = (np.arange(geometry.n_detectors) - (geometry.n_detectors - 1) / 2) * geometry.detector_spacing
    line = np.arange(n)
    centre = (n - 1) / 2
    by_rows = abs(cos) >= abs(sin)
    if by_rows:
        y = centre - line
        place = (s[:, None] - y * sin) / cos + centre
        length = 1 / abs(cos)
    else:
        x = line - centre
        place = centre - (s[:, None] - x * cos) / sin
        length = 1 / abs(sin)
    first = np.floor(place)
    share = place - first
    detector = np.broadcast_to(np.arange(geometry.n_detectors)[:, None], place.shape)
    along = np.broadcast_to(line, place.shape)
    parts = []
    for across, weight in ((first, 1 - share), (first + 1, share)):
        inside = (across >= 0) & (across < n) & (weight > 0)
        across_inside = across[inside].astype(np.int64)
        pixel = along[inside] * n + across_inside if by_rows else across_inside * n + along[inside]
        parts.append((detector[inside], pixel, weight[inside] * length))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))  # type: ignore[return-value]


def system_matrix(geometry: ParallelBeam) -> sparse.csr_array:
    """(angle * detector, row * column) matrix of crossing lengths in pixels, float32."""
    rows, columns, values = [], [], []
    for index, angle in enumerate(geometry.angles):
        detector, pixel, length = _view(geometry, angle)
        rows.append(detector + index * geometry.n_detectors)
        columns.append(pixel)
        values.append(length)
    shape = geometry.n_angles * geometry.n_detectors, geometry.image_size**2
    entries = np.concatenate(values).astype(np.float32)
    return sparse.csr_array((entries, (np.concatenate(rows), np.concatenate(columns))), shape)


def to_torch(matrix: sparse.csr_array, device: str) -> torch.Tensor:
    """The matrix in single precision, for products with dense columns."""
    with warnings.catch_warnings():
        # torch calls its CSR support a beta at first use; the law tests hold it to account.
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int32)),
            torch.from_numpy(matrix.indices.astype(np.int32)),
            torch.from_numpy(matrix.data.astype(np.float32)),
            size=matrix.shape,
            check_invariants=True,
            device=device,
        )
