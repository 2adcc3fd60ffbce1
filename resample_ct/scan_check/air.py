"""Whether air is at zero, and whether the detector sees past the object."""

from __future__ import annotations

import math

from resample_ct.scan_check.finding import Finding
from resample_ct.scan_check.signals import Signals

# Shares of the scan's attenuation. Scatter in a well-kept scanner leaves up to 0.008.
AIR_LIMIT = 0.015


def air_finding(signals: Signals) -> Finding:
    """The level beside the object, as a share of the scan's attenuation."""
    share = signals.air / signals.top
    if signals.is_truncated and share > 0:
        return Finding("air", "not judged: the object reaches the detector's end", None, AIR_LIMIT, "")
    count = signals.end_width * signals.ends[0].size
    return Finding(
        "air",
        f"at {share:.1%} of the scan's attenuation beside the object, expected 0",
        share,
        AIR_LIMIT + 5 * signals.sigma / math.sqrt(count) / signals.top,
        "divide by the open beam of the same scan; where the object is wider than the detector, "
        "HU outside of what all views see are not to be trusted",
    )
