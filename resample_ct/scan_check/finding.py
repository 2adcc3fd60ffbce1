"""What one check of a scan found: its size, its limit and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One check's answer.

    Attributes:
        check: what was looked at.
        told: what was found, with its size in words.
        size: of what was found, None where the scan does not allow an answer.
        limit: of an ordinary scan, in the unit of `size`.
        remedy: what to do where the size is beyond the limit.
    """

    check: str
    told: str
    size: float | None
    limit: float
    remedy: str

    @property
    def is_fault(self) -> bool:
        """Whether the scan is not to be reconstructed as it is."""
        return self.size is not None and abs(self.size) > self.limit

    @property
    def line(self) -> str:
        """The finding for a note: what, how much, its limit, what to do."""
        return f"{self.check}: {self.told} (limit {self.limit:.3g}); {self.remedy}"
