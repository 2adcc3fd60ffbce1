"""Sinograms on disk: one HDF5 layout for simulated and for measured ones.

    /sinogram          (slice, angle, detector) float32
        .units         "pixel" (line integrals of relative attenuation, in pixels), or
                       "attenuation" (-ln(I / I0), converted when read)
    /angles            (angle,) float64, radians
    /noise_sigma       (slice,) float64, standard deviation in the sinogram's units; optional
    /positions         (slice, 3) float64, LPS mm, centre of each slice's first pixel; optional
    /orientation       (6,) float64, as ImageOrientationPatient; optional
    /source_headers    (slice,) DICOM JSON of the source instances, WITH PATIENT IDENTITY; optional
    attributes         format = "resample-ct-sinogram", version = 1, image_size, pixel_mm,
                       detector_spacing (in pixels; default 1), window_hu (default -1000, 2000),
                       thickness_mm, noise, source

A user's own file needs /sinogram, /angles and the attributes format, version, image_size, pixel_mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from resample_ct.errors import OptionError, SinogramError
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.noise import attenuation_per_unit
from resample_ct.values.units import Window
from resample_ct.values.volume import Grid

FORMAT = "resample-ct-sinogram"
VERSION = 1
_UNITS = ("pixel", "attenuation")
# A matrix of this size already takes tens of gigabytes; more is a mistake in the file.
_LARGEST_IMAGE = 4096


@dataclass(frozen=True)
class Sinogram:
    """Sinograms of a stack of slices, and where they belong.

    Attributes:
        data: (slice, angle, detector) float32, line integrals of relative attenuation in pixels.
        geometry: the rays.
        grid: place of the reconstructed slices in the patient.
        window: HU window that the attenuation is relative to.
        noise: how it was made noisy, or "measured".
        noise_sigma: (slice,) standard deviation of the noise, None where unknown.
        source: what it was made from, without patient data.
        source_headers: DICOM JSON of each slice's source instance; empty where there is none.
    """

    data: np.ndarray
    geometry: ParallelBeam
    grid: Grid
    window: Window
    noise: str
    noise_sigma: np.ndarray | None
    source: str
    source_headers: tuple[str, ...] = ()


def write_sinogram(sinogram: Sinogram, path: Path) -> None:
    """Write the layout above. Raises SinogramError if the file exists."""
    if path.exists():
        raise SinogramError(f"--out {path}: exists, expected a new file; name another one")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        with h5py.File(partial, "w") as file:
            _write(sinogram, file)
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def _write(sinogram: Sinogram, file: h5py.File) -> None:
    grid = sinogram.grid
    file.create_dataset("sinogram", data=sinogram.data.astype(np.float32), compression="gzip")
    file["sinogram"].attrs["units"] = "pixel"
    file["angles"] = np.array(sinogram.geometry.angles)
    if sinogram.noise_sigma is not None:
        file["noise_sigma"] = sinogram.noise_sigma
    file["positions"] = grid.positions
    file["orientation"] = np.concatenate([grid.row_direction, grid.column_direction])
    if sinogram.source_headers:
        file.create_dataset(
            "source_headers", data=list(sinogram.source_headers), dtype=h5py.string_dtype()
        )
    file.attrs.update(
        format=FORMAT,
        version=VERSION,
        image_size=sinogram.geometry.image_size,
        detector_spacing=sinogram.geometry.detector_spacing,
        pixel_mm=grid.spacing_mm[0],
        thickness_mm=grid.thickness_mm,
        window_hu=[sinogram.window.lower, sinogram.window.upper],
        noise=sinogram.noise,
        source=sinogram.source,
    )


def _require(path: Path, holder: h5py.AttributeManager | h5py.File, name: str, kind: str) -> object:
    if name not in holder:
        raise SinogramError(
            f"{path}: {kind} {name}: missing, expected the layout of docs/sinogram-file.md; add it"
        )
    return holder[name]


def _array(path: Path, file: h5py.File, name: str, shape: tuple[int, ...] | None) -> np.ndarray:
    stored = _require(path, file, name, "dataset")
    try:
        values = np.asarray(stored, dtype=np.float64)
    except (TypeError, ValueError):
        raise SinogramError(
            f"{path}: dataset {name}: found {stored}, expected an array of numbers; correct it"
        ) from None
    if shape is not None and values.shape != shape:
        raise SinogramError(
            f"{path}: dataset {name}: found shape {values.shape}, expected {shape} to agree with "
            "the sinogram; correct one of the two"
        )
    if not np.isfinite(values).all():
        where = [int(v) for v in np.argwhere(~np.isfinite(values))[0]]
        raise SinogramError(
            f"{path}: dataset {name}: found a non-finite value at {where}, expected finite "
            "numbers; repair the measurement"
        )
    return values


def _number(path: Path, file: h5py.File, name: str, default: float | None = None) -> float:
    if default is not None and name not in file.attrs:
        return default
    value = _require(path, file.attrs, name, "attribute")
    try:
        number = float(np.asarray(value).item())
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 < number < float("inf"):
        raise SinogramError(
            f"{path}: attribute {name}: found {value}, expected a positive number; correct it"
        )
    return number


def _text(value: object) -> object:
    """An attribute's text; HDF5's strings of fixed length, as MATLAB writes them, come as bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _read_image_size(path: Path, file: h5py.File) -> int:
    size = _number(path, file, "image_size")
    if not size.is_integer() or size > _LARGEST_IMAGE:
        raise SinogramError(
            f"{path}: attribute image_size: found {size:g}, expected a whole number of pixels up to "
            f"{_LARGEST_IMAGE}; correct it"
        )
    return int(size)


def _read_window(path: Path, file: h5py.File) -> Window:
    found = file.attrs.get("window_hu", (-1000.0, 2000.0))
    try:
        return Window(*map(float, np.ravel(found)))
    except (TypeError, ValueError, OptionError):
        raise SinogramError(
            f"{path}: attribute window_hu: found {found}, expected two ascending HU; correct it"
        ) from None


def _read_grid(path: Path, file: h5py.File, count: int, size: int) -> Grid:
    pixel = _number(path, file, "pixel_mm")
    thickness = _number(path, file, "thickness_mm", default=1.0)
    orientation = np.array([1.0, 0, 0, 0, 1, 0])
    if "orientation" in file:
        orientation = _array(path, file, "orientation", (6,))
        axes = orientation.reshape(2, 3)
        if not np.allclose(axes @ axes.T, np.eye(2), atol=1e-3):
            raise SinogramError(
                f"{path}: dataset orientation: found {orientation.tolist()}, expected two unit "
                "vectors at right angles, as ImageOrientationPatient; correct it"
            )
    if "positions" in file:
        positions = _array(path, file, "positions", (count, 3))
    else:
        corner = -(size - 1) / 2 * pixel
        positions = np.array([[corner, corner, index * thickness] for index in range(count)])
    return Grid(positions, orientation[:3], orientation[3:], (pixel, pixel), size, size, thickness)


def _read_sigma(path: Path, file: h5py.File, count: int) -> np.ndarray | None:
    if "noise_sigma" not in file:
        return None
    sigma = _array(path, file, "noise_sigma", (count,))
    if sigma.min() < 0:
        raise SinogramError(
            f"{path}: dataset noise_sigma: found {sigma.min():g}, expected none below 0; correct it"
        )
    return sigma


def _read_headers(path: Path, file: h5py.File, count: int) -> tuple[str, ...]:
    if "source_headers" not in file:
        return ()
    stored = file["source_headers"]
    if not isinstance(stored, h5py.Dataset) or h5py.check_string_dtype(stored.dtype) is None:
        raise SinogramError(f"{path}: dataset source_headers: found {stored}, expected strings")
    if stored.shape != (count,):
        raise SinogramError(
            f"{path}: dataset source_headers: found shape {stored.shape}, expected {(count,)}, one "
            "a slice"
        )
    return tuple(stored.asstr()[:])


def _read(path: Path, file: h5py.File) -> Sinogram:
    kind, version = _text(file.attrs.get("format")), np.ravel(file.attrs.get("version")).tolist()
    if kind != FORMAT or version != [VERSION]:
        raise SinogramError(
            f"{path}: attributes format and version: found {kind}, {', '.join(map(str, version))}, "
            f"expected {FORMAT}, {VERSION}; see docs/sinogram-file.md"
        )
    data = _array(path, file, "sinogram", None)
    if data.ndim != 3 or 0 in data.shape:
        raise SinogramError(
            f"{path}: dataset sinogram: found shape {data.shape}, expected (slice, angle, detector)"
        )
    count, n_angles, n_detectors = data.shape
    angles = _array(path, file, "angles", (n_angles,))
    size = _read_image_size(path, file)
    window = _read_window(path, file)
    spacing = _number(path, file, "detector_spacing", default=1.0)
    geometry = ParallelBeam(size, tuple(angles.tolist()), n_detectors, spacing)
    grid = _read_grid(path, file, count, size)
    sigma = _read_sigma(path, file, count)
    units = _text(file["sinogram"].attrs.get("units"))
    if units not in _UNITS:
        raise SinogramError(
            f"{path}: sinogram's attribute units: found {units}, expected one of {_UNITS}; state it"
        )
    if units == "attenuation":
        unit = attenuation_per_unit(grid.spacing_mm[0], window)
        data, sigma = data / unit, None if sigma is None else sigma / unit
    return Sinogram(
        data=data.astype(np.float32),
        geometry=geometry,
        grid=grid,
        window=window,
        noise=str(_text(file.attrs.get("noise", "measured"))),
        noise_sigma=sigma,
        source=str(_text(file.attrs.get("source", path.name))),
        source_headers=_read_headers(path, file, count),
    )


def read_sinogram(path: Path) -> Sinogram:
    """Read a sinogram file.

    Raises:
        SinogramError: no HDF5, a shape that disagrees with the geometry, non-finite values, a
            missing or impossible attribute; the message names it.
    """
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file)
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        # All of these are h5py's words for a damaged file.
        raise SinogramError(
            f"{path}: cannot be read ({error}), expected an HDF5 sinogram; see docs/sinogram-file.md"
        ) from None
    except OptionError as error:
        raise SinogramError(f"{path}: {error}") from None
