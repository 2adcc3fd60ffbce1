"""Packages that only one room needs: an extra of the installation brings them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from resample_ct.errors import OptionError


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Import within this what an extra brings.

    Raises OptionError, which names the extra, where it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise OptionError(
            f"{error.name}: not installed, expected for this command; give "
            f"pip install 'resample-ct[{extra}]'"
        ) from None
