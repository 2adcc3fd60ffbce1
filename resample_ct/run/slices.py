"""Which slices of a study the option `--slices` asks for."""

from __future__ import annotations

from resample_ct.errors import OptionError


def parse_slices(text: str | None, count: int) -> list[int]:
    """`10:20` (end left out), `3,7,9` or one number to slice indices, counted from 0 along the normal.

    Raises OptionError for anything that is no such text or lies outside the study.

    >>> parse_slices("1:4", 10)
    [1, 2, 3]
    """
    if text is None:
        return list(range(count))
    low, high, listed = _numbers(text)
    chosen = range(low, count if high is None else high) if listed is None else listed
    if not chosen or min(chosen) < 0 or max(chosen) >= count or len(set(chosen)) < len(chosen):
        raise OptionError(
            f"--slices {text}: the study has slices 0 to {count - 1}, expected some of them, each once"
        )
    return sorted(chosen)


def check_slices(text: str | None) -> None:
    """Raise OptionError for what `parse_slices` takes of no study."""
    if text is not None:
        _numbers(text)


def _numbers(text: str) -> tuple[int, int | None, list[int] | None]:
    """First, and last + 1, of a range; or the numbers of a list."""
    try:
        if ":" in text:
            low, high = text.split(":")
            return int(low or 0), int(high) if high else None, None
        return 0, None, [int(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(
            f"--slices {text}: not understood, expected 10:20, 3,7,9 or one number"
        ) from None
