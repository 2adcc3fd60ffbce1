"""What should have been trained on and cannot be: which, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from resample_ct.errors import StudyError


@dataclass(frozen=True)
class Unusable:
    """A CT series, or a file that may belong to one, that is left out.

    Attributes:
        name: of the series, or the file's path.
        reason: the reader's or the check's message.
    """

    name: str
    reason: str

    def refusal(self) -> StudyError:
        """The same as an error, for who wants all of the data or none."""
        text = self.reason if self.name in self.reason else f"{self.name}: {self.reason}"
        return StudyError(f"{text}; leave out --strict to train without it")


def outcome(read: str, unusable: Sequence[Unusable]) -> list[str]:
    """The lines of a table: what was read, and what was left out and why.

    >>> outcome("2 series", [Unusable("head", "head: found a gap of 6 mm")])
    ['read      2 series', 'left out  1 series or file:', '  head', '    head: found a gap of 6 mm']
    """
    lines = [f"read      {read}"]
    if unusable:
        lines.append(f"left out  {len(unusable)} series or file{'s' if len(unusable) > 1 else ''}:")
    for one in unusable:
        lines += [f"  {one.name}", f"    {one.reason}"]
    return lines
