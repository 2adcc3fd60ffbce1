"""Your own sinogram: an array of line integrals, the rays that they are of, and their noise.

    python examples/own_sinogram.py

A sinogram is A(v): v = (HU + 1000) / 3000 is relative attenuation, and lengths are in pixels. Measured
-ln(I / I0) becomes that by a division: through water, one unit is mu_water * 3 * pixel_mm.
"""

from __future__ import annotations

import numpy as np

import resample_ct as rct

MU_WATER_PER_MM = 0.0192


def attenuation_of_a_disc(
    size: int, angles: list[float], pixel_mm: float, radius_mm: float
) -> np.ndarray:
    """(angle, detector) -ln(I / I0) of a disc of water, as a scanner would measure it."""
    detectors = rct.parallel_beam(size, angles).range_shape[1]
    s_mm = (np.arange(detectors) - (detectors - 1) / 2) * pixel_mm
    chord_mm = 2 * np.sqrt(np.clip(radius_mm**2 - s_mm**2, 0, None))
    return np.tile(MU_WATER_PER_MM * chord_mm, (len(angles), 1)).astype(np.float32)


def main(size: int = 128, views: int = 40, pixel_mm: float = 1.0) -> np.ndarray:
    """Print what is found in the middle of the disc, where water is; return the slice in HU."""
    angles = [k * np.pi / views for k in range(views)]
    measured = attenuation_of_a_disc(size, angles, pixel_mm, radius_mm=0.35 * size * pixel_mm)
    sinogram = measured / (MU_WATER_PER_MM * 3 * pixel_mm)
    scan = rct.measured(sinogram, rct.parallel_beam(size, angles), sigma=0.001)
    hu = rct.reconstruct(scan, "tv").hu
    print(f"centre: {hu[size // 2, size // 2]:.0f} HU, expected 0")
    return hu


if __name__ == "__main__":
    main()
