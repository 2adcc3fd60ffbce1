"""The Radon transform as one sparse matrix.

Every ray is a row of the matrix. Joseph's method (IEEE Trans. Med. Imaging 1982): step along the
image axis that the ray follows most, one pixel line at a time, and interpolate linearly between the
two pixels that the ray passes there.
"""

from __future__ import annotations

import math
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from scipy import sparse

from resample_ct.errors import OptionError
from resample_ct.physics.geometry import ParallelBeam

_MOST_CROSSINGS = 2**31 - 1


def _view(geometry: ParallelBeam, angle: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crossings of each of one view's rays, and image pixel and length of every crossing, in order."""
    n_mirrored = geometry.n_detectors // 2
    counts, pixels, lengths = _half_view(geometry, angle, geometry.n_detectors - n_mirrored)
    # Half a turn of the image exchanges the detector's halves.
    end = counts[:n_mirrored].sum()
    return (
        np.concatenate([counts, counts[:n_mirrored][::-1]]),
        np.concatenate([pixels, geometry.image_size**2 - 1 - pixels[:end][::-1]]),
        np.concatenate([lengths, lengths[:end][::-1]]),
    )


def _half_view(
    geometry: ParallelBeam, angle: float, n_rays: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a view's first rays."""
    n = geometry.image_size
    cos, sin = np.cos(angle), np.sin(angle)
    s = (np.arange(n_rays) - (geometry.n_detectors - 1) / 2) * geometry.detector_spacing
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
    counts, pixels = inside.sum(axis=(1, 2)), pixel[inside]
    rows = sparse.csr_array((length.astype(np.float32), pixels, _starts(counts)), (n_rays, n * n))
    rows.sort_indices()
    return counts, rows.indices, rows.data


def _starts(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


def system_matrix(geometry: ParallelBeam) -> sparse.csr_array:
    """(angle * detector, row * column) matrix of crossing lengths in pixels, float32.

    Raises OptionError for more crossings than its 32-bit indices can count.
    """
    shape = geometry.n_angles * geometry.n_detectors, geometry.image_size**2
    spacing = geometry.detector_spacing
    # Straight to where they stay, since new memory is what a large matrix waits for most. No more rays
    # of a view cross a pixel line than it has room for.
    crossing = min(geometry.n_detectors, math.ceil((geometry.image_size + 2) / spacing) + 1)
    most = 2 * geometry.n_angles * crossing * geometry.image_size
    if most > _MOST_CROSSINGS:
        raise OptionError(
            f"geometry: found {geometry.n_angles} views of {geometry.n_detectors} detectors through "
            f"{geometry.image_size} x {geometry.image_size} pixels, {most / 1e9:.1f} thousand million "
            f"crossings; expected at most {_MOST_CROSSINGS / 1e9:.1f}: use fewer views or larger pixels"
        )
    pixels, lengths = np.empty(most, np.int32), np.empty(most, np.float32)
    counts, end = [], 0
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        for count, pixel, length in threads.map(partial(_view, geometry), geometry.angles):
            begin, end = end, end + len(pixel)
            pixels[begin:end], lengths[begin:end] = pixel, length
            counts.append(count)
    return sparse.csr_array((lengths[:end], pixels[:end], _starts(np.concatenate(counts))), shape)


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
