"""The errors that a user can cause, one class per source of error."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
# A full disk, a user's quota, and a limit on a file's size.
_NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
_ONE_MIB = 2**20


class ResampleCTError(Exception):
    r"""Anything a user can put right; the message names what, found, expected and remedy.

    It is one line, whatever a damaged file put into what was found.

    >>> str(ResampleCTError("RescaleIntercept: found -10\n24"))
    'RescaleIntercept: found -10 24'
    """

    def __init__(self, message: str) -> None:
        super().__init__(_CONTROL.sub(" ", message))


class StudyError(ResampleCTError):
    """A DICOM or NIfTI study that cannot be read or written as it stands."""


class SinogramError(ResampleCTError):
    """A sinogram that disagrees with its geometry, or its file layout."""


class OptionError(ResampleCTError):
    """An option whose value cannot be used."""


class PriorError(ResampleCTError):
    """A prior's bundle that does not fit the code or the study."""


class NetworkError(ResampleCTError):
    """A server that does not do what it was asked for."""


def without_room(error: OSError | RuntimeError, folder: Path | None = None) -> bool:
    """Whether an error comes of a disk without room.

    Args:
        error: of Python, or of a library that says only in words what the system told it.
        folder: that was written in, whose disk is then asked.
    """
    if getattr(error, "errno", None) is not None:
        return isinstance(error, OSError) and error.errno in _NO_ROOM
    return folder is not None and shutil.disk_usage(folder).free < _ONE_MIB
