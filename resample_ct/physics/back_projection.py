"""Back-projection as FBP needs it: each pixel gathers, from every view, the value where its shadow falls.

Not A^T: that leaves gaps between rays that are further apart than pixels.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from scipy import sparse

from resample_ct.physics.geometry import Geometry
from resample_ct.physics.sparse_product import product, to_torch

# Of a matrix that is kept for the next slices (0.25 GB); that of more views is made in parts, each time.
_MOST_ENTRIES = 2**25


def back_project(geometry: Geometry, views: torch.Tensor) -> torch.Tensor:
    """Sum over the views of their value at each pixel's shadow, interpolated linearly, times its weight.

    Args:
        geometry: the rays.
        views: (B, 1, angle, detector) filtered views; beyond the detector they are 0.

    Returns:
        (B, 1, row, column).
    """
    padded = torch.nn.functional.pad(views, (1, 1))
    at_once = max(1, _MOST_ENTRIES // (2 * geometry.image_size**2))
    if geometry.n_angles <= at_once:
        return product(_kept(geometry, str(views.device)), padded, geometry.image_shape)
    image = views.new_zeros(len(views), 1, *geometry.image_shape)
    for begin in range(0, geometry.n_angles, at_once):
        some = slice(begin, begin + at_once)
        matrix = to_torch(_gathering(geometry, geometry.angles[some]), str(views.device))
        image += product(matrix, padded[:, :, some], geometry.image_shape)
    return image


@lru_cache(maxsize=2)
def _kept(geometry: Geometry, device: str) -> torch.Tensor:
    return to_torch(_gathering(geometry, geometry.angles), device)


def _gathering(geometry: Geometry, angles: tuple[float, ...]) -> sparse.csr_array:
    """(row * column, angle * (detector + 2)): the views have a 0 at either end."""
    n, last = geometry.image_size, geometry.n_detectors
    x = (np.arange(n) - (n - 1) / 2).astype(np.float32)
    first_place = geometry.detector_places[0]
    columns = np.empty((n * n, len(angles), 2), np.int32)
    values = np.empty((n * n, len(angles), 2), np.float32)
    for view, angle in enumerate(angles):
        place, weight = geometry.shadow(angle, x, -x[:, None])
        place = (place - np.float32(first_place)) / np.float32(geometry.detector_spacing) + 1
        place = place.clip(0, last + 1).ravel()
        low = np.minimum(place.astype(np.int32), last)
        share = place - low
        weight = np.broadcast_to(weight, (n, n)).ravel()
        columns[:, view, 0] = low + view * (last + 2)
        values[:, view, 1] = weight * share
        values[:, view, 0] = weight - values[:, view, 1]
    columns[..., 1] = columns[..., 0] + 1
    starts = np.arange(n * n + 1, dtype=np.int32) * (2 * len(angles))
    shape = n * n, len(angles) * (last + 2)
    return sparse.csr_array((values.ravel(), columns.ravel(), starts), shape)
