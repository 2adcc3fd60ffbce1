"""The errors that a user can cause, one kind for each door a mistake comes in by."""


class ResampleCTError(Exception):
    """Anything a user can put right; the message names what, found, expected and remedy."""


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
