"""What a notebook calls: images or sinograms in memory in, a result in memory out; no files.

Each function is public as `resample_ct.NAME`. The command line runs the same steps: equal bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from resample_ct.device import check_device
from resample_ct.errors import OptionError
from resample_ct.io import dicom_write
from resample_ct.io.derivation import Derivation
from resample_ct.io.identity_guard import refuse_identified
from resample_ct.io.study import Study
from resample_ct.networks.precision import Precision
from resample_ct.operators.base import Operator
from resample_ct.operators.foreign import adapt
from resample_ct.physics.backends import make_projector
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import ParallelBeam, detectors_for
from resample_ct.physics.projector import Projector
from resample_ct.physics.sinogram_file import Sinogram
from resample_ct.progress import Update, silent
from resample_ct.reconstruct.base import Reconstructor
from resample_ct.reconstruct.resample_settings import ReSampleSettings
from resample_ct.run.batch import BatchResult, reconstruct_slices
from resample_ct.run.outputs import series_place
from resample_ct.run.ready import Bundle, method_as_given, method_by_name, notes_on
from resample_ct.run.result import Result, result_of
from resample_ct.run.scan import (
    Images,
    Scan,
    scan_of_data,
    scan_of_images,
    scan_of_sinogram,
    scan_of_study,
)
from resample_ct.run.simulate import method_generators
from resample_ct.values.units import Window


def parallel_beam(size: int = 256, angles: int | Sequence[float] = 25) -> Projector:
    """The Radon transform of a square image by parallel rays, in units of a pixel.

    Args:
        size: pixels of the image's side.
        angles: number of views, evenly spaced over 180 degrees, or each view's angle in radians.

    Raises:
        OptionError: no view, or an angle that is not finite.
    """
    if isinstance(angles, int):
        return make_projector(ParallelBeam.uniform(size, angles))
    return make_projector(ParallelBeam(size, tuple(angles), detectors_for(size)))


def fan_beam(
    size: int = 256,
    angles: int | Sequence[float] = 25,
    *,
    source_origin: float,
    source_detector: float,
    curved: bool = False,
) -> Projector:
    """The line integrals of a square image along a fan of rays, in units of a pixel.

    Args:
        size: pixels of the image's side.
        angles: number of views, evenly spaced over 360 degrees, or each view's angle in radians.
        source_origin: from the source to the axis of rotation, in pixels of the image.
        source_detector: from the source to the detector, in the same.
        curved: whether the detector is an arc about the source.

    Raises:
        OptionError: distances that no such scanner has, no view, or an angle that is not finite.
    """
    views = angles if isinstance(angles, int) else len(angles)
    geometry = FanBeam.uniform(
        size, views, source_origin=source_origin, source_detector=source_detector, curved=curved
    )
    if not isinstance(angles, int):
        geometry = replace(geometry, angles=tuple(angles))
    return make_projector(geometry)


def simulate(
    image: Images | Study,
    operator: Any,
    noise: str = "gaussian:0.01",
    seed: int = 0,
    *,
    slices: str | Sequence[int] | None = None,
    pixel_mm: float | None = None,
    window: Window | None = None,
) -> Scan:
    """Measure images, or slices of a study, by an operator, with noise.

    Args:
        image: HU, (H, W) or (N, H, W) of the operator's size, numpy or torch; or a study, whose slices
            are reduced to that size.
        operator: A, of this package or of another, see `resample_ct.operators.adapt`.
        noise: "gaussian:0.01" (standard deviation of a ray, in the operator's units of relative
            attenuation), "gaussian:1%" (of the largest ray), "poisson:1e5" (photons a ray) or "none".
        seed: of the noise; the noise of a slice depends on its place and the seed alone.
        slices: of a study, "10:20", "3,7" or places; all where it is left out.
        pixel_mm: side of a pixel of an array, which "poisson" needs.
        window: HU window that relative attenuation 0 to 1 stands for; -1000 to 2000 where left out.

    Raises:
        OptionError: an argument that does not fit, by name.
    """
    used = window or Window()
    adapted = _operator(operator)
    if isinstance(image, Study):
        if pixel_mm is not None:
            raise OptionError(f"pixel_mm: found {pixel_mm} with a study, which has its own; leave it out")
        return scan_of_study(image, adapted, noise, seed, used, slices)
    if slices is not None:
        raise OptionError(f"slices: found {slices} with an array, expected a study; index the array")
    return scan_of_images(image, adapted, noise, seed, used, pixel_mm)


def measured(sinogram: Images, operator: Any, sigma: float, *, window: Window | None = None) -> Scan:
    """Take one's own sinogram for a scan.

    Args:
        sinogram: (angle, detector) or (N, angle, detector): A of relative attenuation, which is
            (HU - window.lower) / window.width.
        operator: A, of this package or of another, see `resample_ct.operators.adapt`.
        sigma: standard deviation of the noise, in the sinogram's units.
        window: HU window that relative attenuation 0 to 1 stands for; -1000 to 2000 where left out.

    Raises:
        ResampleCTError: a sinogram that does not fit the operator, or a sigma that no noise has.
    """
    return scan_of_data(sinogram, _operator(operator), sigma, window or Window())


def reconstruct(
    scan: Scan | Sinogram,
    method: str | Reconstructor = "resample",
    *,
    preset: str | None = None,
    settings: ReSampleSettings | None = None,
    prior: Bundle | None = None,
    bundles: Mapping[str, Bundle] | None = None,
    sigma: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    batch: int = 4,
    precision: Precision = "float32",
    progress: Update = silent,
) -> Result:
    """Reconstruct a scan.

    Args:
        scan: by `simulate`, `measured` or `read_sinogram`.
        method: a name that `resample-ct methods` lists, or an object as `methods.TV(iterations=300)`.
        preset: of ReSample's settings, "balanced" where neither is given.
        settings: ReSample's, in place of a preset's.
        prior: a bundle's folder, or the prior itself, in place of the shipped one.
        bundles: the same for any network, by the names that `resample-ct methods` shows.
        sigma: standard deviation of a sinogram file's noise, where the file does not state it.
        seed: of the method's random numbers.
        device: of torch.
        batch: slices at once; the last bits of a result depend on it.
        precision: of the networks, "float32" or "bfloat16".
        progress: called with slices done, slices in all, and what is at work.

    Raises:
        ResampleCTError: an argument that does not fit, or that the method would not honour.
    """
    if isinstance(method, str):
        ready = method_by_name(method, preset, settings, prior, bundles or {}, device, precision)
    elif (preset, settings, prior, bundles, precision) != (None, None, None, None, "float32"):
        raise OptionError(
            f"method: found {type(method).__name__} with a preset, settings, networks or a precision, "
            "which it has already; leave them out, or name the method"
        )
    else:
        ready = method_as_given(method)
    check_device(device)
    if isinstance(scan, Sinogram):
        scan = scan_of_sinogram(scan, sigma)
    elif sigma is not None:
        raise OptionError(f"sigma: found {sigma} with a scan that states its noise; leave it out")
    if batch < 1:
        raise OptionError(f"batch: found {batch}, expected 1 or more slices at once")
    notes = [*scan.notes, *notes_on(scan, ready)]
    parts: list[BatchResult] = []
    for first in range(0, len(scan), batch):
        progress(first, len(scan), ready.title)
        rows = slice(first, min(first + batch, len(scan)))
        generators = method_generators(seed, scan.indices[rows])
        measurement = scan.measurement(rows, device)
        parts.append(reconstruct_slices(ready.method, measurement, generators, ready.judge))
    progress(len(scan), len(scan), ready.title)
    return result_of(scan, ready, seed, notes, parts)


def write_series(study: Study, result: Result, out: str | Path, *, compress: str | None = None) -> str:
    """Write a result as a derived DICOM series in the place of a study's slices.

    Args:
        study: that was measured, or whose HU were; gives geometry, patient and padding.
        result: of all its slices, or of those that `simulate` was told.
        out: new folder.
        compress: "rle", "jpeg-ls" or "jpeg2000", all without loss.

    Returns:
        The new SeriesInstanceUID.

    Raises:
        ResampleCTError: slices that are not the study's, or a folder that exists.
    """
    hu = result.hu if result.hu.ndim == 3 else result.hu[None]
    chosen = study
    if result.study is not None and study is not result.study:
        chosen = study.select([index for index in result.indices if index < len(study)])
    places = result.study or chosen
    same = chosen.grid.positions.tolist() == places.grid.positions.tolist()
    if len(chosen) != len(hu) or not same or hu.shape[1] != hu.shape[2]:
        raise OptionError(
            f"result: found {len(hu)} slices of {hu.shape[1]} x {hu.shape[2]}, expected square ones, one "
            f"for each slice of study {study.name}, or for those of it that were simulated"
        )
    refuse_identified(study.headers, Path(out))
    place = series_place(result.title)
    derivation = Derivation(result.title, result.views, result.made_by, _version(), place)
    grid = chosen.grid.resized(hu.shape[1])
    return dicom_write.write_series(chosen, hu, grid, Path(out), derivation, compress)


def _version() -> str:
    from resample_ct import __version__

    return __version__


def _operator(operator: Any) -> Operator:
    return operator if isinstance(operator, Operator) else adapt(operator)
