"""Another program's scan to a sinogram of ours: an image grid, a HU scale, and what the file left out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from resample_ct.errors import SinogramError
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import Geometry, ParallelBeam
from resample_ct.physics.noise import MU_WATER_PER_MM, attenuation_per_unit
from resample_ct.physics.sinogram_file import Sinogram, is_sinogram_file, read_sinogram
from resample_ct.physics.sinogram_values import notes_on_angles, refuse_other_than_line_integrals
from resample_ct.scan_check.signals import Signals
from resample_ct.scan_import.data_exchange import is_data_exchange, read_data_exchange
from resample_ct.scan_import.mat import read_mat
from resample_ct.scan_import.numpy_arrays import read_npz
from resample_ct.scan_import.raw_scan import RawScan
from resample_ct.solvers.fbp import fbp
from resample_ct.values.network_grid import IMAGE_SIZE
from resample_ct.values.units import Window
from resample_ct.values.volume import Grid

_READERS: dict[str, Callable[[Path], RawScan]] = {".mat": read_mat, ".npz": read_npz}
# For the HU scale a coarse image is enough.
_COARSE_SIZE, _COARSE_VIEWS = 64, 90


@dataclass(frozen=True)
class ImportOptions:
    """What a file does not say, and which of its views to take.

    Attributes:
        detector_pixel_mm: takes the place of the file's.
        image_size: pixels of the image's side; the networks need theirs, 256.
        views: so many of all, evenly; None takes all.
        arc_degrees: only the views of the first so many degrees.
        scale: factor that makes -ln(I / I0) of the file's numbers.
        subtract_air: take the level beside the object for zero, where no open beam was measured.
    """

    detector_pixel_mm: float | None = None
    image_size: int = IMAGE_SIZE
    views: int | None = None
    arc_degrees: float | None = None
    scale: float = 1.0
    subtract_air: bool = False


def is_scan(path: Path) -> bool:
    """Whether a path is read as a measured scan, ours or another program's."""
    return path.suffix.lower() in _READERS or is_sinogram_file(path)


def read_scan(path: Path) -> Sinogram:
    """Read our file, or another program's that states all that is needed. Raises SinogramError."""
    if path.suffix.lower() in _READERS or (path.is_file() and is_data_exchange(path)):
        return import_scan(path, ImportOptions())
    return read_sinogram(path)


def import_scan(path: Path, options: ImportOptions) -> Sinogram:
    """Read another program's scan.

    The HU scale is that of water at 0.0192 / mm, as everywhere; its window is the usual one where the
    object fits, else it reaches to the largest attenuation found, rounded up to 1000 HU.

    Raises:
        SinogramError: a file of no known kind or that cannot be used, or one that does not state its
            detector pixel where the options do not either.
    """
    raw = _READERS.get(path.suffix.lower(), read_data_exchange)(path)
    raw = replace(raw, attenuation=options.scale * raw.attenuation)
    if not np.isfinite(raw.attenuation).all():
        raise SinogramError(
            f"{path}: found values that are not finite, expected -ln(I / I0); repair them"
        )
    raw = raw if options.arc_degrees is None else raw.within(options.arc_degrees)
    raw = raw if options.views is None else raw.thinned(options.views)
    pixel = options.detector_pixel_mm or raw.detector_pixel_mm
    if pixel is None:
        raise SinogramError(
            f"{path}: detector pixel: not stated, expected its size in mm; use `resample-ct import` with "
            "--detector-pixel-mm"
        )
    geometry, pixel_mm = _geometry(raw, pixel, options.image_size)
    if options.subtract_air:
        air = Signals(raw.attenuation, geometry).air
        raw = replace(raw, attenuation=raw.attenuation - air)
    refuse_other_than_line_integrals(path, raw.attenuation)
    window = _window(raw, pixel)
    size, count = options.image_size, len(raw.attenuation)
    corner = -(size - 1) / 2 * pixel_mm
    return Sinogram(
        data=(raw.attenuation / attenuation_per_unit(pixel_mm, window)).astype(np.float32),
        geometry=geometry,
        grid=Grid(
            positions=np.array([[corner, corner, index * pixel_mm] for index in range(count)]),
            row_direction=np.array([1.0, 0.0, 0.0]),
            column_direction=np.array([0.0, 1.0, 0.0]),
            spacing_mm=(pixel_mm, pixel_mm),
            rows=size,
            columns=size,
            thickness_mm=pixel_mm,
        ),
        window=window,
        noise="measured",
        noise_sigma=None,
        source=raw.source,
        notes=tuple(notes_on_angles(raw.angles)),
    )


def _geometry(raw: RawScan, detector_mm: float, size: int) -> tuple[Geometry, float]:
    """Rays through an image that is as wide as the detector sees at the axis, and its pixel in mm."""
    count, views = raw.attenuation.shape[2], tuple(raw.angles.tolist())
    if raw.source_origin_mm is None or raw.source_detector_mm is None:
        pixel_mm = detector_mm * count / size
        return ParallelBeam(size, views, count, detector_mm / pixel_mm), pixel_mm
    pixel_mm = detector_mm * count / size * raw.source_origin_mm / raw.source_detector_mm
    fan = FanBeam(
        size,
        views,
        count,
        detector_mm / pixel_mm,
        source_origin=raw.source_origin_mm / pixel_mm,
        source_detector=raw.source_detector_mm / pixel_mm,
    )
    return fan, pixel_mm


def _window(raw: RawScan, detector_mm: float) -> Window:
    coarse = raw if len(raw.angles) <= _COARSE_VIEWS else raw.thinned(_COARSE_VIEWS)
    geometry, pixel_mm = _geometry(coarse, detector_mm, _COARSE_SIZE)
    middle = coarse.attenuation[len(coarse.attenuation) // 2]
    image = fbp(geometry, torch.from_numpy(middle).float()[None, None], "hann")
    hu = (float(torch.quantile(image, 0.999)) / pixel_mm / MU_WATER_PER_MM - 1) * 1000
    usual = Window()
    return usual if hu <= usual.upper else Window(usual.lower, math.ceil(1.2 * hu / 1000) * 1000.0)
