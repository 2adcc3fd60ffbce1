"""DICOM files that appear only when they are whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless
from pydicom.valuerep import DSfloat

from resample_ct.errors import StudyError

COMPRESSIONS: dict[str, UID] = {
    "rle": RLELossless,
    "jpeg-ls": JPEGLSLossless,
    "jpeg2000": JPEG2000Lossless,
}


def decimal(value: float) -> DSfloat:
    """A decimal string of at most 16 characters, as DICOM demands."""
    return DSfloat(float(value), auto_format=True)


def save_dataset(dataset: Dataset, path: Path, compression: str | None = None) -> None:
    """Write a dataset with a file meta group in explicit VR little endian.

    Args:
        dataset: what to write; its pixels are replaced by compressed ones where that is asked for.
        path: file to write.
        compression: of `COMPRESSIONS`, without loss; None leaves the pixels plain.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    # The source's may hold a header of another format.
    dataset.preamble = b"\0" * 128
    if compression is not None:
        dataset.compress(COMPRESSIONS[compression], generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True, implicit_vr=False, little_endian=True)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill that gets its name when the block ends, and vanishes where the block fails.

    Raises StudyError for a folder that exists.
    """
    if folder.exists():
        raise StudyError(f"{folder}: exists, expected a new folder; name another one")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A file to write that gets its name when the block ends, and vanishes where the block fails.

    Raises StudyError for a file that exists.
    """
    if path.exists():
        raise StudyError(f"{path}: exists, expected a new file; name another one")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
