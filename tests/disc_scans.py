"""Scans of discs by their formula, so that a test has as many objects and geometries as it likes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st


def discs_sinogram(discs, geometry, parts=3):
    """(angle, detector) line integrals; each disc is x, y and radius in image pixels, and its density.

    Each detector pixel is the mean of `parts` rays across it.
    """
    fine = replace(
        geometry,
        n_detectors=geometry.n_detectors * parts,
        detector_spacing=geometry.detector_spacing / parts,
        detector_offset=geometry.detector_offset * parts,
    )
    theta, s = fine.lines()
    total = np.zeros(theta.shape)
    for x, y, radius, density in discs:
        inside = radius**2 - (s - x * np.cos(theta) - y * np.sin(theta)) ** 2
        total += density * 2 * np.sqrt(np.maximum(inside, 0))
    return total.reshape(*geometry.sinogram_shape, parts).mean(2)


def body(rng, half, depth):
    """Discs of a body within 0.9 `half` of the axis and of its organs; integrals reach about `depth`."""
    radius = rng.uniform(0.3, 0.75) * half
    lean, turn = (half * 0.9 - radius) * rng.uniform(), rng.uniform(0, 2 * np.pi)
    x, y, density = lean * np.cos(turn), lean * np.sin(turn), depth / (2 * radius)
    discs = [(x, y, radius, density)]
    for _ in range(rng.integers(0, 4)):
        size, place, at = rng.uniform(0.1, 0.3), rng.uniform(0, 0.6) * radius, rng.uniform(0, 2 * np.pi)
        contrast = rng.uniform(-0.8, 1.5) * density
        discs.append((x + place * np.cos(at), y + place * np.sin(at), size * radius, contrast))
    return discs


@st.composite
def objects(draw, half):
    """Such a body, its total attenuation from 0.5 to 5."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return body(rng, half, draw(st.floats(0.5, 5.0)))
