"""Where a study's files are: a folder, one file, a list of files, or a zip."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from resample_ct.errors import StudyError


@dataclass(frozen=True)
class SourceFile:
    """One file, or a frame of it, that can be read as often as needed.

    Attributes:
        path: of the file or zip.
        member: of the zip.
        frame: counted from 1; None for a file of one image.
    """

    path: Path
    member: str | None = None
    frame: int | None = None

    @property
    def name(self) -> str:
        """What messages call it: the path, the zip's member and the frame."""
        name = str(self.path) if self.member is None else f"{self.path}:{self.member}"
        return name if self.frame is None else f"{name}, frame {self.frame}"

    def read(self) -> bytes:
        """The whole content. Raises StudyError when it cannot be had."""
        try:
            if self.member is None:
                return self.path.read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(self.member)
        except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
            raise StudyError(
                f"{self.name}: cannot be read ({error}), expected a readable file; copy it again"
            ) from None

    def open(self) -> io.BytesIO:
        """The content as a stream."""
        return io.BytesIO(self.read())

    def stream(self) -> BinaryIO:
        """The content as a stream that is read from disk as needed, where it is no zip's."""
        return self.path.open("rb") if self.member is None else self.open()


def _members(path: Path) -> list[SourceFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [i.filename for i in archive.infolist() if not i.is_dir()]
    except (OSError, zipfile.BadZipFile) as error:
        raise StudyError(
            f"{path}: not a whole zip ({error}), expected a zip of DICOM files; copy it again"
        ) from None
    return [SourceFile(path, name) for name in sorted(names)]


def files_below(folder: Path) -> list[Path]:
    """Every file below a folder, sorted; linked folders are followed, each folder once."""
    files: list[Path] = []
    seen: set[Path] = set()
    for name, folders, names in os.walk(folder, followlinks=True):
        here = Path(name)
        if here.resolve() in seen:
            folders.clear()
            continue
        seen.add(here.resolve())
        files += [path for path in (here / n for n in names) if path.is_file()]
    return sorted(files)


def list_files(source: Path | Sequence[Path]) -> list[SourceFile]:
    """Every file of a folder (below it too), a zip, a single file or a list of these.

    Raises StudyError for a path that does not exist.
    """
    if not isinstance(source, Path):
        return [file for path in source for file in list_files(path)]
    if source.is_dir():
        return [SourceFile(p) for p in files_below(source)]
    if not source.exists():
        raise StudyError(f"{source}: not found, expected a folder, a file or a zip of a CT study")
    if zipfile.is_zipfile(source) or source.suffix.lower() == ".zip":
        return _members(source)
    return [SourceFile(source)]
