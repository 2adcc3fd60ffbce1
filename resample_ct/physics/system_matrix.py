"""The line integrals of any geometry as one sparse matrix.

Every ray is a line and a row of the matrix. Joseph's method (IEEE Trans. Med. Imaging 1982): step along
the image axis that the ray follows most, one pixel line at a time, and interpolate linearly between
the two pixels that the ray passes there.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from scipy import sparse

from resample_ct.errors import OptionError
from resample_ct.physics.geometry import Geometry

_MOST_CROSSINGS = 2**31 - 1

Crossings = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Crossings of each ray, then image pixel and length of every crossing, in order."""


def _view(n: int, lines: tuple[np.ndarray, np.ndarray]) -> Crossings:
    """Matrix of one view's rays, the lines of `theta` and `s`, through n x n pixels."""
    theta, s = lines
    if not np.array_equal(theta, theta[::-1]) or not np.array_equal(s, -s[::-1]):
        return _rays(n, theta, s)
    # Half a turn of the image exchanges the detector's halves: half of the rays are enough.
    n_mirrored = len(s) // 2
    counts, pixels, lengths = _rays(n, theta[n_mirrored:], s[n_mirrored:])
    begin = counts[: len(s) - 2 * n_mirrored].sum()
    return (
        np.concatenate([counts[len(s) - 2 * n_mirrored :][::-1], counts]),
        np.concatenate([n * n - 1 - pixels[begin:][::-1], pixels]),
        np.concatenate([lengths[begin:][::-1], lengths]),
    )


def _rays(n: int, theta: np.ndarray, s: np.ndarray) -> Crossings:
    """Run by run of neighbouring rays that follow the same image axis."""
    cos, sin = np.cos(theta), np.sin(theta)
    by_rows = abs(cos) >= abs(sin)
    ends = np.append(np.flatnonzero(np.diff(by_rows)) + 1, len(s))
    runs, begin = [], 0
    for end in ends:
        run = slice(begin, end)
        runs.append(_run(n, cos[run, None], sin[run, None], s[run, None], bool(by_rows[begin])))
        begin = end
    if len(runs) == 1:
        return runs[0]
    counts, pixels, lengths = zip(*runs, strict=True)
    return np.concatenate(counts), np.concatenate(pixels), np.concatenate(lengths)


def _run(n: int, cos: np.ndarray, sin: np.ndarray, s: np.ndarray, by_rows: bool) -> Crossings:
    line = np.arange(n)
    centre = (n - 1) / 2
    if by_rows:
        y = centre - line
        place = (s - y * sin) / cos + centre
    else:
        x = line - centre
        place = centre - (s - x * cos) / sin
    first = np.floor(place)
    share = place - first
    weight = np.stack([1 - share, share], axis=-1)
    # Whole numbers beyond the image would not fit an int32 where a ray is far away.
    first = np.clip(first, -2, n).astype(np.int32)
    across = np.stack([first, first + 1], axis=-1)
    along = line.astype(np.int32)[:, None]
    pixel = along * n + across if by_rows else across * n + along
    inside = (across >= 0) & (across < n) & (weight > 0)
    weight /= np.maximum(abs(cos), abs(sin))[..., None]
    counts, pixels = inside.sum(axis=(1, 2)), pixel[inside]
    lengths = weight[inside].astype(np.float32)
    rows = sparse.csr_array((lengths, pixels, _starts(counts)), (len(s), n * n))
    rows.sort_indices()
    return counts, rows.indices, rows.data


def _starts(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


def system_matrix(geometry: Geometry) -> sparse.csr_array:
    """(angle * detector, row * column) matrix of crossing lengths in pixels, float32.

    Raises OptionError for more crossings than its 32-bit indices can count.
    """
    n = geometry.image_size
    shape = geometry.n_angles * geometry.n_detectors, n * n
    theta, s = geometry.lines()
    # Straight to where they stay, since new memory is what a large matrix waits for most.
    most = 2 * n * int(np.count_nonzero(abs(s) < n / math.sqrt(2) + 1))
    if most > _MOST_CROSSINGS:
        raise OptionError(
            f"geometry: found {geometry.n_angles} views of {geometry.n_detectors} detectors through "
            f"{n} x {n} pixels, {most / 1e9:.1f} thousand million crossings; expected at most "
            f"{_MOST_CROSSINGS / 1e9:.1f}: use fewer views or larger pixels"
        )
    pixels, lengths = np.empty(most, np.int32), np.empty(most, np.float32)
    counts, end = [], 0
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        for count, pixel, length in threads.map(partial(_view, n), zip(theta, s, strict=True)):
            begin, end = end, end + len(pixel)
            pixels[begin:end], lengths[begin:end] = pixel, length
            counts.append(count)
    return sparse.csr_array((lengths[:end], pixels[:end], _starts(np.concatenate(counts))), shape)
