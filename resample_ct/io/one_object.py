"""What the slices of one series must share, so that they show one object in one place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from resample_ct.io.dicom_checks import NamedHeader, refuse
from resample_ct.values.volume import Grid

_COSINE_TOLERANCE = 1e-4
_MM_TOLERANCE = 1e-3


def check_same_geometry(first: NamedHeader, other: NamedHeader) -> None:
    """Refuse a series whose slices differ in matrix, spacing, orientation, patient, study or quantity."""
    (_, reference), (file, header) = first, other
    for keyword, tolerance in (
        ("Rows", 0.0),
        ("Columns", 0.0),
        ("PixelSpacing", _MM_TOLERANCE),
        ("ImageOrientationPatient", _COSINE_TOLERANCE),
    ):
        expected, found = (np.atleast_1d(h[keyword].value).astype(float) for h in (reference, header))
        if np.abs(found - expected).max() > tolerance:
            raise refuse(
                file,
                keyword,
                header[keyword].value,
                f"{reference[keyword].value} as in {first[0].name}",
                "separate the two stacks",
            )
    # A tag that is empty says no more than one that is missing, and no RescaleType means HU.
    for keyword, without in (("PatientID", ""), ("StudyInstanceUID", ""), ("RescaleType", "HU")):
        if (header.get(keyword) or without) != (reference.get(keyword) or without):
            raise refuse(
                file,
                keyword,
                header.get(keyword) or "nothing",
                f"the same as in {first[0].name}",
                "separate the two",
            )


def check_frame_of_reference(ordered: Sequence[NamedHeader], grid: Grid) -> list[str]:
    """Refuse two frames of reference; note those that de-identification made of one.

    Positions in two frames cannot be compared, so slices of two frames are two stacks. But some archives
    give every slice, or every pair, a FrameOfReferenceUID of its own: where no more than two slices share
    one, no group of slices could be a stack, and an even spacing across all of them says that their
    positions belong together.

    Args:
        ordered: the series along its normal.
        grid: where it lies.
    """
    uids = [str(header.get("FrameOfReferenceUID") or "") for _, header in ordered]
    counts = Counter(uid for uid in uids if uid)
    if len(counts) < 2:
        return []
    scattered = max(counts.values()) <= 2 and (len(counts) > 2 or len(counts) == len(uids))
    if scattered and grid.is_even:
        return [
            f"{len(counts)} FrameOfReferenceUIDs in {len(uids)} evenly spaced slices taken as one, as "
            "de-identification leaves them; the first slice's stands for all"
        ]
    usual = counts.most_common(1)[0][0]
    reference = ordered[uids.index(usual)][0]
    place = next(place for place, uid in enumerate(uids) if uid not in ("", usual))
    raise refuse(
        ordered[place][0],
        "FrameOfReferenceUID",
        uids[place],
        f"{usual} as in {reference.name}",
        "positions in two frames of reference cannot be compared; separate the two",
    )
