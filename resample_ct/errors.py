"""The errors that a user can cause, one kind for each door a mistake comes in by."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


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
