"""Where a study's files are: a folder, one file, a list of files, or a zip."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resample_ct.errors import StudyError


@dataclass(frozen=True)
class SourceFile:
    """One file that can be read as often as needed; `name` is what messages call it."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """The path, with the zip's member behind it."""
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"

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


def _members(path: Path) -> list[SourceFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [i.filename for i in archive.infolist() if not i.is_dir()]
    except (OSError, zipfile.BadZipFile) as error:
        raise StudyError(
            f"{path}: not a whole zip ({error}), expected a zip of DICOM files; copy it again"
        ) from None
    return [SourceFile(path, name) for name in sorted(names)]


def list_files(source: Path | Sequence[Path]) -> list[SourceFile]:
    """Every file of a folder (below it too), a zip, a single file or a list of these.

    Raises StudyError for a path that does not exist.
    """
    if not isinstance(source, Path):
        return [file for path in source for file in list_files(path)]
    if source.is_dir():
        return [SourceFile(p) for p in sorted(source.rglob("*")) if p.is_file()]
    if not source.exists():
        raise StudyError(f"{source}: not found, expected a folder, a file or a zip of a CT study")
    if zipfile.is_zipfile(source) or source.suffix.lower() == ".zip":
        return _members(source)
    return [SourceFile(source)]
