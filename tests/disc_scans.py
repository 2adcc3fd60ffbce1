"""Parallel-beam scans of discs by their formula, so that a test has as many objects as it likes."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st


def discs_sinogram(discs, angles, n_detectors, offset=0.0, parts=3):
    """(angle, detector) line integrals; each disc is x, y, radius in detector pixels, and its density.

    `offset` is where the axis of rotation lies from the detector's middle, towards its last pixel. Each
    detector pixel is the mean of `parts` rays across it.
    """
    fine = (np.arange(n_detectors * parts) + 0.5) / parts - 0.5 - (n_detectors - 1) / 2 - offset
    total = np.zeros((len(angles), len(fine)))
    for x, y, radius, density in discs:
        centre = x * np.cos(angles) + y * np.sin(angles)
        inside = radius**2 - (fine[None] - centre[:, None]) ** 2
        total += density * 2 * np.sqrt(np.maximum(inside, 0))
    return total.reshape(len(angles), n_detectors, parts).mean(2)


@st.composite
def objects(draw, n_detectors):
    """A body inside the detector's field with a few organs in it, a total attenuation of 0.5 to 5."""
    half = n_detectors / 2
    body = draw(st.floats(0.3, 0.75)) * half
    lean = (half * 0.9 - body) * draw(st.floats(0, 1))
    turn = draw(st.floats(0, 2 * np.pi))
    depth = draw(st.floats(0.5, 5.0))
    x, y = lean * np.cos(turn), lean * np.sin(turn)
    discs = [(x, y, body, depth / (2 * body))]
    for _ in range(draw(st.integers(0, 3))):
        radius, place, at = draw(st.floats(0.1, 0.3)), draw(st.floats(0, 0.6)), draw(st.floats(0, 6.28))
        density = draw(st.floats(-0.8, 1.5)) * discs[0][3]
        discs.append(
            (x + place * body * np.cos(at), y + place * body * np.sin(at), radius * body, density)
        )
    return discs
