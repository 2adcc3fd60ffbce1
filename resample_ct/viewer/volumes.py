"""The volumes of a result folder, cut down to what a page can hold."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from resample_ct.errors import OptionError, StudyError

# Slices of all volumes together: a page of about 30 MB, which a telephone still opens.
PAGE_SLICES = 320
# Browsers keep 16 WebGL contexts, and each panel takes one.
MOST_PANELS = 12
_INT16 = np.iinfo(np.int16)


@dataclass(frozen=True)
class Stack:
    """Volumes of equal shape, and the slices of them that a page shows.

    Attributes:
        volumes: the NIfTI files of each, in the order of their slices, by the page's names for them.
        indices: evenly spaced places in the volumes.
        total: slices in each volume.
    """

    volumes: dict[str, tuple[Path, ...]]
    indices: range
    total: int

    def encoded(self, name: str) -> str:
        """One volume as base64 of a gzipped NIfTI file in whole HU, with a header of its own."""
        shown, first = set(self.indices), 0
        slices: list[np.ndarray] = []
        affines: list[np.ndarray] = []
        for path in self.volumes[name]:
            # Open while its slices are read, one at a time: a gzipped file is unpacked once.
            image: Any = nib.load(path, keep_file_open=True)
            for place in range(image.shape[2]):
                if first + place in shown:
                    hu = np.rint(image.dataobj[..., place]).clip(_INT16.min, _INT16.max)
                    slices.append(hu.astype(np.int16))
                    affines.append(image.affine @ _moved(place))
            first += image.shape[2]
        affine = affines[0].copy()
        if len(affines) > 1:
            affine[:3, 2] = (affines[-1] - affines[0])[:3, 3] / (len(affines) - 1)
        content = nib.Nifti1Image(np.stack(slices, axis=-1), affine).to_bytes()
        # Without a time, so that the same result gives the same page.
        return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode("ascii")


def _moved(slices: int) -> np.ndarray:
    """(4, 4) step by so many voxels along the third axis."""
    step = np.eye(4)
    step[2, 3] = slices
    return step


def volume_files(folder: Path, name: str) -> tuple[Path, ...]:
    """A volume's files in the order of their slices, see `resample_ct.io.nifti_write.nifti_paths`."""
    whole = folder / f"{name}.nii.gz"
    if whole.is_file():
        return (whole,)
    pattern = re.compile(re.escape(name) + r"-slices-(\d+)(?:-\d+)?\.nii\.gz")
    found = {path: pattern.fullmatch(path.name) for path in folder.iterdir()}
    parts = {path: int(match[1]) for path, match in found.items() if match}
    return tuple(sorted(parts, key=parts.__getitem__))


def parse_range(text: str) -> range:
    """`10:20` (end left out), `10:40:2` or one number.

    >>> list(parse_range("10:16:2"))
    [10, 12, 14]
    """
    try:
        first, *rest = (int(part) for part in text.split(":"))
        chosen = range(first, *rest) if rest else range(first, first + 1)
        if chosen and chosen.step > 0:
            return chosen
    except (TypeError, ValueError):
        pass
    raise OptionError(f"--slices {text}: not understood, expected 10:20, 10:40:2 or one number")


def _shape(files: Sequence[Path]) -> tuple[int, int, int]:
    headers: list[Any] = [nib.load(path).header for path in files]
    columns, rows, _ = headers[0].get_data_shape()
    return columns, rows, sum(header.get_data_shape()[2] for header in headers)


def choose(volumes: dict[str, tuple[Path, ...]], wanted: Sequence[int] | None) -> Stack:
    """The slices that fit on a page.

    Args:
        volumes: the files of each volume by name.
        wanted: places in the volumes, ascending and evenly spaced; None takes as many as fit, spread
            evenly over the volume.

    Raises:
        StudyError: the volumes have different shapes.
        OptionError: `wanted` holds more slices than fit, or unevenly spaced ones.
    """
    shapes = {name: _shape(files) for name, files in volumes.items()}
    first, shape = next(iter(shapes.items()))
    for name, other in shapes.items():
        if other != shape:
            raise StudyError(
                f"{volumes[name][0]}: found {other} voxels, expected the {shape} of {first}; reconstruct "
                "again"
            )
    total, most = shape[2], max(1, PAGE_SLICES // len(volumes))
    if wanted is None:
        return Stack(volumes, range(0, total, -(-total // most)), total)
    step = wanted[1] - wanted[0] if len(wanted) > 1 else 1
    indices = range(wanted[0], wanted[-1] + 1, step)
    if list(indices) != list(wanted):
        raise OptionError("slices: found unevenly spaced ones, expected a range such as 10:20")
    if len(indices) > most:
        raise OptionError(
            f"slices: found {len(indices)}, expected at most {most} of {len(volumes)} volumes; choose "
            "fewer slices or methods"
        )
    return Stack(volumes, indices, total)
