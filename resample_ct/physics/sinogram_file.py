"""Sinograms on disk: one HDF5 layout for simulated and for measured ones.

    /sinogram          (slice, angle, detector) float32
        .units         "pixel" (line integrals of relative attenuation, in pixels), or
                       "attenuation" (-ln(I / I0), converted when read)
    /angles            (angle,) float64
        .units         "radians" or "degrees"
    /noise_sigma       (slice,) float64, standard deviation in the sinogram's units; optional
    /positions         (slice, 3) float64, LPS mm, centre of each slice's first pixel; optional
    /orientation       (6,) float64, as ImageOrientationPatient; optional
    /source_headers    (slice,) DICOM JSON of the source instances, WITH PATIENT IDENTITY; optional
    attributes         format = "resample-ct-sinogram", version = 2, geometry ("parallel", "fan-flat",
                       "fan-curved"), image_size, pixel_mm, detector_pixel_mm (default pixel_mm),
                       center_of_rotation (detector pixel, from 0; default the middle),
                       source_origin_mm, source_detector_mm (fans), window_hu (default -1000, 2000),
                       thickness_mm, noise, source

Version 1 had no geometry, units of angles or millimetres of the detector (detector_spacing, in image
pixels); it is read, and never written. docs/sinogram-file.md is this table for users.
"""

from __future__ import annotations

import numbers
import re
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from resample_ct.errors import OptionError, SinogramError
from resample_ct.physics.geometry import Geometry
from resample_ct.physics.hdf5_fields import Fields
from resample_ct.physics.noise import attenuation_per_unit
from resample_ct.physics.sinogram_geometry import geometry_attributes, read_geometry
from resample_ct.physics.sinogram_values import (
    notes_on_angles,
    refuse_other_than_line_integrals,
    to_radians,
)
from resample_ct.values.units import Window
from resample_ct.values.volume import Grid

FORMAT = "resample-ct-sinogram"
VERSION = 2
_VERSIONS_READ = ([1], [2])
SUFFIXES = (".h5", ".hdf5")
_UNITS = ("pixel", "attenuation")
# A matrix of this size already takes tens of gigabytes; more is a mistake in the file.
_LARGEST_IMAGE = 4096
_SAME_PLACE_MM = 1e-3
# An unknown attribute of such a name may be the one thing without which every slice comes out wrong.
_PLACE_OF_RAYS = re.compile(
    r"offset|shift|cent(er|re)|axis|rotation|distance|source_|detector_|fan|cone|(\b|_)(cor|rot|s[dio]d)(\b|_)",
    re.IGNORECASE,
)


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
        notes: what was found odd in the file, for the user.
    """

    data: np.ndarray
    geometry: Geometry
    grid: Grid
    window: Window
    noise: str
    noise_sigma: np.ndarray | None
    source: str
    source_headers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


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
    file["angles"].attrs["units"] = "radians"
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
        **geometry_attributes(sinogram.geometry, grid.spacing_mm[0]),
        pixel_mm=grid.spacing_mm[0],
        thickness_mm=grid.thickness_mm,
        window_hu=[sinogram.window.lower, sinogram.window.upper],
        noise=sinogram.noise,
        source=sinogram.source,
    )


def _image_size(fields: Fields) -> int:
    size = fields.number("image_size")
    if not size.is_integer() or size > _LARGEST_IMAGE:
        raise fields.refuse(
            "attribute image_size",
            f"{size:g}",
            f"a whole number of pixels up to {_LARGEST_IMAGE}",
            "correct it",
        )
    return int(size)


def _window(fields: Fields) -> Window:
    found = fields.attribute("window_hu")
    try:
        return Window() if found is None else Window(*map(float, np.asarray(found).ravel()))
    except (TypeError, ValueError, OptionError):
        raise fields.refuse("attribute window_hu", found, "two ascending HU", "correct it") from None


def _grid(fields: Fields, count: int, size: int) -> Grid:
    """The slices' place, in the order of the file."""
    pixel = fields.number("pixel_mm")
    thickness = fields.number("thickness_mm", default=1.0)
    orientation = fields.array("orientation", (6,))
    if orientation is None:
        orientation = np.array([1.0, 0, 0, 0, 1, 0])
    axes = orientation.reshape(2, 3)
    if not np.allclose(axes @ axes.T, np.eye(2), atol=1e-3):
        raise fields.refuse(
            "dataset orientation",
            orientation.tolist(),
            "two unit vectors at right angles, as ImageOrientationPatient",
            "correct it",
        )
    positions = fields.array("positions", (count, 3))
    if positions is None:
        corner = -(size - 1) / 2 * pixel
        positions = np.array([[corner, corner, index * thickness] for index in range(count)])
    return Grid(positions, orientation[:3], orientation[3:], (pixel, pixel), size, size, thickness)


def _order(fields: Fields, grid: Grid) -> np.ndarray:
    """(slice,) places that put the slices in ascending order along their normal."""
    heights = grid.positions @ grid.normal
    order = np.argsort(heights, kind="stable")
    close = np.flatnonzero(np.diff(heights[order]) < _SAME_PLACE_MM)
    if len(close):
        first, second = sorted(int(i) for i in order[close[0] : close[0] + 2])
        raise fields.refuse(
            "dataset positions",
            f"slices {first} and {second} both at {heights[first]:g} mm along their normal",
            "one slice at each place",
            "remove one of the two or correct its position",
        )
    return order


def _sigma(fields: Fields, count: int) -> np.ndarray | None:
    sigma = fields.array("noise_sigma", (count,))
    if sigma is not None and sigma.min() < 0:
        raise fields.refuse("dataset noise_sigma", f"{sigma.min():g}", "none below 0", "correct it")
    return sigma


def _notes_on_unknown(fields: Fields) -> list[str]:
    """Name what nothing read; SinogramError where it may say where the rays run."""
    notes = []
    for field, value in fields.unasked():
        if _PLACE_OF_RAYS.search(field) and isinstance(value, numbers.Real) and value != 0:
            raise fields.refuse(
                field,
                value,
                f"the rays' place in the attributes of version {VERSION}, as center_of_rotation",
                "write it by its name there, or delete the attribute if it means something else",
            )
        notes.append(f"{field}: unknown and not used; docs/sinogram-file.md lists what is")
    return notes


def _read(path: Path, file: h5py.File) -> Sinogram:
    fields = Fields(path, file)
    kind, version = fields.attribute("format"), np.asarray(fields.attribute("version")).ravel().tolist()
    if kind != FORMAT or version not in _VERSIONS_READ:
        raise SinogramError(
            f"{path}: attributes format and version: found {kind}, {', '.join(map(str, version))}, "
            f"expected {FORMAT}, 1 or {VERSION}; see docs/sinogram-file.md"
        )
    data = fields.required_array("sinogram")
    if data.ndim != 3 or 0 in data.shape:
        raise SinogramError(
            f"{path}: dataset sinogram: found shape {data.shape}, expected (slice, angle, detector)"
        )
    count, n_angles, n_detectors = data.shape
    stored_angles = fields.required_array("angles", (n_angles,))
    unit_of_angles = fields.attribute("units", "angles")
    if unit_of_angles is None and version == [2]:
        raise SinogramError(
            f"{path}: angles' attribute units: missing, expected radians or degrees; state it"
        )
    angles = to_radians(path, stored_angles, unit_of_angles)
    size = _image_size(fields)
    window = _window(fields)
    grid = _grid(fields, count, size)
    geometry = read_geometry(fields, version[0], size, angles, n_detectors, grid.spacing_mm[0])
    order = _order(fields, grid)
    sigma = _sigma(fields, count)
    units = fields.attribute("units", "sinogram")
    if units not in _UNITS:
        raise SinogramError(
            f"{path}: sinogram's attribute units: found {units}, expected one of {_UNITS}; state it"
        )
    if window.lower == -1000.0 or units == "attenuation":
        unit = attenuation_per_unit(grid.spacing_mm[0], window)
        in_pixels = units == "pixel"
        refuse_other_than_line_integrals(path, data * unit if in_pixels else data)
        if not in_pixels:
            data, sigma = data / unit, None if sigma is None else sigma / unit
    headers = fields.strings("source_headers", count)
    noise, source = fields.attribute("noise"), fields.attribute("source")
    return Sinogram(
        data=data[order].astype(np.float32),
        geometry=geometry,
        grid=replace(grid, positions=grid.positions[order]),
        window=window,
        noise=str(noise or "measured"),
        noise_sigma=None if sigma is None else sigma[order],
        source=str(source or path.name),
        source_headers=tuple(headers[i] for i in order) if headers else (),
        notes=(*notes_on_angles(angles), *_notes_on_unknown(fields)),
    )


def is_sinogram_file(path: Path) -> bool:
    """Whether a path is read as a sinogram file: by its ending, in any case, or by its content."""
    if path.suffix.lower() in SUFFIXES:
        return True
    return path.is_file() and bool(h5py.is_hdf5(path))


def read_sinogram(path: Path | str) -> Sinogram:
    """Read a sinogram file.

    Raises:
        SinogramError: no HDF5, a shape that disagrees with the geometry, non-finite values, a
            missing or impossible attribute; the message names it.
    """
    path = Path(path)
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
