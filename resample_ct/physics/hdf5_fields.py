"""An HDF5 file's attributes and datasets: checked when asked for; what nobody asks for is known."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from resample_ct.errors import SinogramError

# What HDF5's dimension scales, netCDF and MATLAB add to every file.
_BOOKKEEPING = ("CLASS", "DIMENSION_", "H5PATH", "MATLAB_", "NAME", "REFERENCE_LIST", "_Netcdf4")
_LAYOUT = "expected the layout of docs/sinogram-file.md"


def as_text(value: object) -> object:
    """An attribute's text; HDF5's strings of fixed length, as MATLAB writes them, come as bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


class Fields:
    """One file's fields; every method raises SinogramError that names the file and the field."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        """`path` is what messages call the open `file`."""
        self._path, self._file = path, file
        self._asked: set[tuple[str, str]] = set()

    def refuse(self, field: str, found: object, expected: str, remedy: str) -> SinogramError:
        """The error of one field, to be raised."""
        return SinogramError(f"{self._path}: {field}: found {found}, expected {expected}; {remedy}")

    def attribute(self, name: str, of: str = "/") -> object:
        """An attribute of the file or of a dataset, text as text; None where there is none."""
        self._asked.add((of, name))
        holder = self._file.get(of, self._file)
        return as_text(holder.attrs.get(name))

    def number(self, name: str, default: float | None = None) -> float:
        """A positive number; without a default the attribute must be there."""
        value = self.attribute(name)
        if value is None and default is not None:
            return default
        number = self.finite(name, value, "a positive number")
        if number <= 0:
            raise self.refuse(f"attribute {name}", value, "a positive number", "correct it")
        return number

    def finite(self, name: str, value: object, expected: str = "a finite number") -> float:
        """The attribute's `value` as one finite number."""
        if value is None:
            raise SinogramError(f"{self._path}: attribute {name}: missing, {_LAYOUT}; add it")
        try:
            number = float(np.asarray(value).item())
        except (TypeError, ValueError):
            number = float("nan")
        if not np.isfinite(number):
            raise self.refuse(f"attribute {name}", value, expected, "correct it")
        return number

    def array(self, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray | None:
        """A dataset of finite numbers as float64, None where there is none."""
        self._asked.add(("/", name))
        if name not in self._file:
            return None
        stored = self._file[name]
        try:
            values = np.asarray(stored, dtype=np.float64)
        except (TypeError, ValueError):
            raise self.refuse(f"dataset {name}", stored, "an array of numbers", "correct it") from None
        if shape is not None and values.shape != shape:
            raise self.refuse(
                f"dataset {name}",
                f"shape {values.shape}",
                f"{shape} to agree with the sinogram",
                "correct one of the two",
            )
        if not np.isfinite(values).all():
            where = [int(v) for v in np.argwhere(~np.isfinite(values))[0]]
            raise self.refuse(
                f"dataset {name}",
                f"a non-finite value at {where}",
                "finite numbers",
                "repair the measurement",
            )
        return values

    def required_array(self, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """A dataset of finite numbers that must be there."""
        values = self.array(name, shape)
        if values is None:
            raise SinogramError(f"{self._path}: dataset {name}: missing, {_LAYOUT}; add it")
        return values

    def strings(self, name: str, count: int) -> tuple[str, ...]:
        """A dataset of `count` strings, none where there is no such dataset."""
        self._asked.add(("/", name))
        if name not in self._file:
            return ()
        stored = self._file[name]
        if not isinstance(stored, h5py.Dataset) or h5py.check_string_dtype(stored.dtype) is None:
            raise self.refuse(f"dataset {name}", stored, "strings", "correct it")
        if stored.shape != (count,):
            raise self.refuse(
                f"dataset {name}", f"shape {stored.shape}", f"{(count,)}, one a slice", "correct it"
            )
        return tuple(stored.asstr()[:])

    def unasked(self) -> list[tuple[str, object]]:
        """Every attribute and dataset that nothing asked for, as its kind with its name, and its value.

        A dataset's value is None.
        """
        found: list[tuple[str, object]] = [
            (f"attribute {name}", as_text(value)) for name, value in self._unasked_attributes("/")
        ]
        for name in self._file:
            if ("/", name) not in self._asked:
                found.append((f"dataset {name}", None))
            else:
                found += [
                    (f"{name}'s attribute {attribute}", as_text(value))
                    for attribute, value in self._unasked_attributes(name)
                ]
        return found

    def _unasked_attributes(self, of: str) -> list[tuple[str, object]]:
        return [
            (name, value)
            for name, value in self._file[of].attrs.items()
            if (of, name) not in self._asked and not name.startswith(_BOOKKEEPING)
        ]
