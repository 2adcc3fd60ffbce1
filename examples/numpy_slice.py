"""A slice as a numpy array: measure it with few views, reconstruct it by several methods, compare.

python examples/numpy_slice.py
"""

from __future__ import annotations

import numpy as np

import resample_ct as rct


def body_phantom(size: int) -> np.ndarray:
    """(size, size) HU: soft tissue, two lungs, a spine, air around."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    hu = np.full((size, size), -1000.0, np.float32)
    hu[(x / 0.85) ** 2 + (y / 0.6) ** 2 < 1] = 40.0
    for side in (-0.38, 0.38):
        hu[((x - side) / 0.28) ** 2 + ((y + 0.05) / 0.4) ** 2 < 1] = -850.0
    hu[x**2 + (y - 0.4) ** 2 < 0.09**2] = 600.0
    return hu


def main(size: int = 256, views: int = 25, methods: tuple[str, ...] = ("fbp", "tv", "resample")) -> None:
    """Print each method's error; the networks of `resample` take slices of 256 x 256."""
    truth = body_phantom(size)
    scan = rct.simulate(truth, rct.parallel_beam(size, views), noise="gaussian:0.01", seed=0)
    for method in methods:
        result = rct.reconstruct(scan, method, preset="fast" if method == "resample" else None)
        error = float(np.sqrt(np.mean((result.hu - truth) ** 2)))
        print(f"{method}: RMS error {error:.1f} HU, {result.seconds:.1f} s")
        for note in result.notes:
            print(f"  note: {note}")


if __name__ == "__main__":
    main()
