"""System matrices on disk, so that a geometry is computed once on a machine.

The user's cache folder holds one file a geometry, named by a hash of the geometry and of the code that
computes it. A file appears whole by a rename; one that is damaged counts as missing, and a folder that
cannot be written is gone without. What was not used for longest goes when the folder is full.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from contextlib import suppress
from pathlib import Path
from threading import Thread
from uuid import uuid4
from zipfile import BadZipFile

import numpy as np
from platformdirs import user_cache_path
from scipy import sparse

from resample_ct.physics import system_matrix as code
from resample_ct.physics.geometry import Geometry

# Rays times pixel lines, below which computing is as fast as reading.
_WORTH_KEEPING = 2**20
_MOST_BYTES = 2 * 2**30
_PARTS = ("data", "indices", "indptr")
WRITER = "projector-cache"
"""Name of the threads that write."""

# Longer than any write takes: what is left of a process that was killed.
_ABANDONED_SECONDS = 3600


def cached_system_matrix(geometry: Geometry) -> sparse.csr_array:
    """`system_matrix`, from disk where it was computed before."""
    if geometry.n_angles * geometry.n_detectors * geometry.image_size < _WORTH_KEEPING:
        return code.system_matrix(geometry)
    path = matrix_file(geometry)
    found = _read(path, geometry)
    if found is None:
        found = code.system_matrix(geometry)
        # Nobody waits for the file; the interpreter does before it ends.
        with suppress(RuntimeError):  # no thread to be had
            Thread(target=_write, args=(path, found), name=WRITER).start()
    return found


def cache_folder() -> Path:
    """The folder of this cache, under the user's own (XDG_CACHE_HOME on Linux)."""
    return user_cache_path("resample-ct", appauthor=False) / "projector"


def matrix_file(geometry: Geometry) -> Path:
    """Where a geometry's matrix is kept; another one for every version of the code."""
    source = Path(code.__file__).read_bytes()
    return cache_folder() / f"{hashlib.sha256(source + repr(geometry).encode()).hexdigest()}.npz"


def _read(path: Path, geometry: Geometry) -> sparse.csr_array | None:
    shape = geometry.n_angles * geometry.n_detectors, geometry.image_size**2
    try:
        # A zip's members carry checksums, which numpy's reading compares.
        with path.open("rb") as opened, np.load(opened) as file:
            matrix = sparse.csr_array(tuple(file[name] for name in _PARTS), shape)
        matrix.check_format(full_check=True)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
        return None
    with suppress(OSError):
        os.utime(path)
    return matrix


def _write(path: Path, matrix: sparse.csr_array) -> None:
    temporary = path.with_name(f"{uuid4().hex}.tmp")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                np.savez(file, **{name: getattr(matrix, name) for name in _PARTS})
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _make_room(path)


def _make_room(newest: Path) -> None:
    """Delete what killed processes left, and the files used longest ago until the rest fits."""
    for path in newest.parent.glob("*.tmp"):
        if newest.stat().st_mtime - path.stat().st_mtime > _ABANDONED_SECONDS:
            path.unlink(missing_ok=True)
    files = sorted(newest.parent.glob("*.npz"), key=lambda path: path.stat().st_mtime)
    total = sum(path.stat().st_size for path in files)
    for path in files:
        if total <= _MOST_BYTES:
            break
        total -= path.stat().st_size
        path.unlink(missing_ok=True)
