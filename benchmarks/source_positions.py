"""A helical scan by 25 of its own source positions a turn, and by 25 views rebinned from all of them.

    python benchmarks/source_positions.py

The scanner is simulated: ellipsoids of the size of organs, 1,000 views a turn, photon noise. Prints the
PSNR of FBP and TV against the slice itself, and the noise of each sinogram.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from resample_ct.metrics import psnr
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import Geometry, ParallelBeam
from resample_ct.physics.rebin import Rebinner
from resample_ct.physics.source_positions import SourcePositions
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.classical import FBP, TV
from resample_ct.scan_check.noise import estimate_sigma

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from ct_pd_files import WATER, Ellipsoid, Scanner, phantom, scan_of

VIEWS, SIZE = 25, 256
PHOTONS = 2e5


def organs(z: float) -> list[Ellipsoid]:
    """The tests' phantom with vessels and ribs."""
    rng = np.random.default_rng(0)
    small = []
    for _ in range(24):
        x, y, size = rng.uniform(-110, 110), rng.uniform(-60, 60), rng.uniform(4, 14)
        small.append(Ellipsoid((size, size, 30), (x, y, z), rng.uniform(-0.3, 0.6) * WATER))
    return [*phantom(z, half_mm=30.0), *small]


def slice_of(shapes: list[Ellipsoid], z: float, pixel_mm: float, parts: int = 4) -> np.ndarray:
    """Relative attenuation of the slice at z, (row, column), each pixel's mean of `parts` x `parts`."""
    fine = (np.arange(SIZE * parts) - (SIZE * parts - 1) / 2) * pixel_mm / parts
    place = np.stack([*np.meshgrid(fine, fine), np.full((fine.size,) * 2, z)], axis=-1)
    image = np.zeros(place.shape[:2])
    for shape in shapes:
        away = ((place - np.array(shape.centre)) / np.array(shape.axes)) ** 2
        image += shape.attenuation * (away.sum(-1) < 1)
    return image.reshape(SIZE, parts, SIZE, parts).mean((1, 3)) / (3 * WATER)


def main() -> None:
    """Print the table."""
    scanner = Scanner(
        columns=368, width=2.5716, central=(184.9, 16.5), rows=32, height=2.0, views=1000, rotations=2.5
    )
    shapes, rng = organs(scanner.middle), np.random.default_rng(1)

    def load(view: int) -> np.ndarray:
        counts = rng.poisson(PHOTONS * np.exp(-scanner.measure(shapes, view)))
        return -np.log(np.maximum(counts, 1) / PHOTONS)

    scan = replace(scan_of(scanner, shapes), load=load, photons=lambda _: np.full(368, PHOTONS))
    parallel = ParallelBeam.uniform(SIZE, VIEWS)
    pixel_mm = 2 * Rebinner(scan, parallel, 1.0).radius_mm / SIZE
    unit = 3 * WATER * pixel_mm
    own = SourcePositions(scan, VIEWS)
    measured, sigma = own(scanner.middle)
    assert sigma is not None
    rebinned = Rebinner(scan, parallel, pixel_mm)(scanner.middle)
    truth = torch.from_numpy(slice_of(shapes, scanner.middle, pixel_mm)).float()[None, None]
    rows: list[tuple[str, Geometry, np.ndarray, float]] = [
        ("its own source positions", own.geometry(SIZE, pixel_mm), measured, sigma / unit),
        ("rebinned from all 1,000", parallel, rebinned, estimate_sigma(rebinned / unit)),
    ]
    print("| 25 views | noise | FBP | TV |\n|---|---|---|---|")
    for name, geometry, values, noise in rows:
        y = torch.from_numpy(values / unit).float()[None, None]
        measurement = Measurement(make_projector(geometry, "cpu"), y, torch.tensor([noise**2]).float())
        found = [float(psnr(method(measurement, []).x.clamp(0, 1), truth)[0]) for method in (FBP(), TV())]
        print(f"| {name} | {noise:.3f} | {found[0]:.2f} dB | {found[1]:.2f} dB |")


if __name__ == "__main__":
    main()
