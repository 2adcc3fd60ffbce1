"""Scans of other bodies, and the faults that a scanner or a file may have, planted in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from disc_scans import body, discs_sinogram

from resample_ct.errors import SinogramError
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import Geometry, ParallelBeam
from resample_ct.physics.sinogram_file import Sinogram
from resample_ct.physics.sinogram_values import refuse_other_than_line_integrals, to_radians
from resample_ct.scan_check.check import check_scan
from resample_ct.values.units import Window
from resample_ct.values.volume import Grid

# One unit of a sinogram of pixels of 0.7 mm in -ln(I / I0).
PIXEL_MM, UNIT = 0.7, 0.0192 * 3 * 0.7
Planted = tuple[str, np.ndarray, np.ndarray, Geometry]


def geometry_of(rng: np.random.Generator, index: int) -> Geometry:
    """Parallel and fan, flat and curved, sparse and dense, with a detector that is a little off."""
    views = int(rng.choice([25, 50, 100, 360]))
    offset = float(rng.uniform(-5, 5))
    if index % 2 == 0:
        return replace(ParallelBeam.uniform(256, views), detector_offset=offset)
    fan = FanBeam.uniform(256, views, source_origin=800, source_detector=1400, curved=index % 4 == 1)
    return replace(fan, detector_offset=offset)


def scan_of(data: np.ndarray, geometry: Geometry) -> Sinogram:
    """One slice, (angle, detector) in pixels."""
    grid = Grid(np.zeros((1, 3)), np.eye(3)[0], np.eye(3)[1], (PIXEL_MM,) * 2, 256, 256, 1.0)
    return Sinogram(data[None].astype(np.float32), geometry, grid, Window(), "measured", None, "scan")


def faults(
    rng: np.random.Generator, data: np.ndarray, geometry: Geometry, photons: float
) -> Iterator[Planted]:
    """Name, view angles, data in pixels and geometry of each planted fault."""
    counts = photons * np.exp(-UNIT * data)
    views, detectors = data.shape
    angles = np.array(geometry.angles)
    half = replace(geometry, detector_offset=geometry.detector_offset + rng.choice([-0.5, 0.5]))
    yield "axis off by 0.5 detector pixel", angles, data, half
    drift = np.linspace(0, rng.choice([-0.05, 0.05]), views)[:, None]
    yield "5 % drift of the total", angles, data * (1 + drift), geometry
    flux = np.linspace(0, 0.03, views)[:, None] * np.quantile(data, 0.95)
    yield "drift of the open beam by 3 % of the attenuation", angles, data + flux, geometry
    yield "air at 3 % of the attenuation", angles, data + 0.03 * np.quantile(data, 0.95), geometry
    for name, value in (("dead pixel", 0.0), ("hot pixel", 1.0)):
        broken, where = counts.copy(), rng.integers(detectors // 3, 2 * detectors // 3)
        broken[:, where] = max(1.0, value * 2 * photons)
        yield name, angles, -np.log(broken / photons) / UNIT, geometry
    stuck, where = data.copy(), rng.integers(detectors // 3, 2 * detectors // 3)
    stuck[:, where] = stuck[:, where].mean()
    yield "stuck pixel", angles, stuck, geometry
    repeated, where = data.copy(), rng.integers(1, views)
    repeated[where] = repeated[where - 1]
    yield "repeated view", angles, repeated, geometry
    kept = np.delete(np.arange(views), rng.integers(1, views - 1))
    less = replace(geometry, angles=tuple(angles[kept]))
    yield "missing view", angles[kept], data[kept], less
    yield "degrees", np.rad2deg(angles), data, geometry
    yield "transmission", angles, counts / photons / UNIT, geometry
    yield "counts", angles, counts / UNIT, geometry
    yield "-ln of counts", angles, -np.log(counts) / UNIT, geometry


def simulated(index: int) -> tuple[np.random.Generator, np.ndarray, Geometry, float]:
    """Scan number `index`: its generator, (angle, detector) in pixels, its rays and photons a ray."""
    rng = np.random.default_rng(index)
    geometry, photons = geometry_of(rng, index), float(10 ** rng.uniform(4, 6))
    clean = discs_sinogram(body(rng, 125, rng.uniform(1, 5) / UNIT), geometry)
    measured = np.maximum(rng.poisson(photons * np.exp(-UNIT * clean)), 1)
    return rng, -np.log(measured / photons) / UNIT, geometry, photons


def verdict(angles: np.ndarray, data: np.ndarray, geometry: Geometry) -> list[str]:
    """What reading or checking says, empty where nothing is wrong."""
    try:
        to_radians(Path("scan"), angles, None)
        refuse_other_than_line_integrals(Path("scan"), data[None] * UNIT)
    except SinogramError as error:
        return [str(error)]
    return [finding.line for finding in check_scan(scan_of(data, geometry)) if finding.is_fault]
