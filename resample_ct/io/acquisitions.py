"""Phases, passes and acquisitions that lie between each other in one series.

Slices of two contrast phases, of two heart phases or of two overlapping passes, sorted by position,
alternate: a stack that looks whole and shows two times. What tells them apart is what dcm2niix and
vtk-dicom split by, and the order in which the slices were made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from resample_ct.io.dicom_checks import NamedHeader, refuse

# Each value of these is an acquisition, a phase, or a way to make images of one.
_KINDS = (
    "AcquisitionNumber",
    "FrameAcquisitionNumber",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "TemporalPositionTimeOffset",
    "NominalPercentageOfCardiacPhase",
    "NominalPercentageOfRespiratoryPhase",
    "CardiacCyclePosition",
    "RespiratoryCyclePosition",
    "EchoNumbers",
    "EchoTime",
    "StackID",
    "KVP",
    "ConvolutionKernel",
    "SliceThickness",
    "ImageType",
    "ContrastBolusAgent",
    "ScanOptions",
    "FilterType",
    "PatientPosition",
    "SeriesNumber",
    "SeriesDescription",
    "ProtocolName",
    "AcquisitionDate",
    "IrradiationEventUID",
)
# Between two passes these jump, by more than they do within one; the least jump in their units.
_LEAST_JUMP = {
    "AcquisitionDateTime": 2.0,
    "FrameAcquisitionDateTime": 2.0,
    "AcquisitionTime": 2.0,
    "ContentTime": 5.0,
    "TriggerTime": 20.0,
    "NominalCardiacTriggerDelayTime": 20.0,
}
_JUMP = 5.0
# A pass is at least so many slices in order, and so many of it lie within another one.
_SHORTEST_PASS, _FEWEST_SLICES = 3, 8
_WITHIN = 2
_SHOWN = 4

Groups = dict[str, list[int]]


def check_one_acquisition(ordered: Sequence[NamedHeader]) -> None:
    """Refuse slices of two acquisitions that lie between each other.

    One behind the other, as table positions and stations do, they are one stack.

    Args:
        ordered: the series along its normal.

    Raises:
        StudyError: naming the tag that tells them apart, and its values.
    """
    headers = [header for _, header in ordered]
    for keyword in _KINDS:
        _refuse_between(ordered, keyword, _by_value([_text(header, keyword) for header in headers]), 1)
    for keyword, least in _LEAST_JUMP.items():
        texts = [_text(header, keyword) for header in headers]
        moments = [_moment(text, keyword) for text in texts]
        if None not in moments:
            values = np.array(moments, float)
            _refuse_between(ordered, keyword, _by_jump(values, texts, least), _WITHIN)
            _refuse_between(ordered, keyword, _by_order(values, texts), _WITHIN)
    numbers = [_text(header, "InstanceNumber") for header in headers]
    if all(re.fullmatch(r"-?\d+", number) for number in numbers):
        groups = _by_order(np.array(numbers, float), numbers)
        _refuse_between(ordered, "InstanceNumber", groups, _WITHIN)


def _text(header: Dataset, keyword: str) -> str:
    """A tag's value, also where a frame of Enhanced CT has it, empty where there is none."""
    value = header.get(keyword)
    if value is None:
        contents = (
            content
            for frame in header.get("PerFrameFunctionalGroupsSequence") or []
            for content in frame.get("FrameContentSequence") or []
        )
        value = next((content.get(keyword) for content in contents), None)
    if isinstance(value, MultiValue):
        return "\\".join(map(str, value))
    # 5 and 5.0 are one thickness.
    return "" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)


def _moment(text: str, keyword: str) -> float | None:
    """Seconds, or what TriggerTime counts in; None for what is no time."""
    try:
        if not keyword.endswith("Time") or keyword in ("TriggerTime", "NominalCardiacTriggerDelayTime"):
            return float(text)
        # YYYYMMDD, where there is one, then HHMMSS and fractions.
        found = re.fullmatch(r"(\d{8})?(\d{2})(\d{2})(\d{2}(?:\.\d*)?)(?:[+-]\d{4})?", text.strip())
        if found is None:
            return None
        day, hour, minute, second = found.groups()
        days = 0 if day is None else np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:]}").astype(int)
        return float(86400 * days + 3600 * int(hour) + 60 * int(minute) + float(second))
    except ValueError:
        return None


def _by_value(texts: Sequence[str]) -> Groups:
    groups: Groups = {}
    for place, text in enumerate(texts):
        if text:
            groups.setdefault(text, []).append(place)
    return groups


def _by_jump(values: np.ndarray, texts: Sequence[str], least: float) -> Groups:
    """Slices between whose moments there is no jump, by the first one's."""
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    usual = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0
    largest = float(gaps.max(initial=0.0))
    # Where every change is a jump, as between phases of one moment each, nothing is usual.
    limit = max(least, min(_JUMP * usual, largest / 2))
    parts = np.split(order, np.flatnonzero(gaps >= limit) + 1)
    return {texts[int(part[0])]: sorted(part.tolist()) for part in parts}


def _by_order(values: np.ndarray, texts: Sequence[str]) -> Groups:
    """Passes along the stack, up or down, in the order in which the slices were made.

    One group where the order makes no such passes.
    """
    places = np.argsort(values, kind="stable").tolist()
    if len(places) < _FEWEST_SLICES or len(set(values.tolist())) < len(places):
        return {}
    passes = [places[:1]]
    for place in places[1:]:
        last = passes[-1]
        if len(last) > 1 and (place > last[-1]) != (last[-1] > last[-2]):
            passes.append([place])
        else:
            last.append(place)
    if min(map(len, passes)) < _SHORTEST_PASS:
        return {}
    return {f"{texts[one[0]]} to {texts[one[-1]]}": sorted(one) for one in passes}


def _refuse_between(ordered: Sequence[NamedHeader], keyword: str, groups: Groups, within: int) -> None:
    """Raise where at least `within` slices of each of two groups lie between the other's ends."""
    for (one, here), (other, there) in _overlapping(groups, within):
        shown = [*dict.fromkeys([one, other, *groups])][:_SHOWN]
        more = f" and {len(groups) - len(shown)} more" if len(groups) > len(shown) else ""
        file = ordered[max(here[0], there[0])][0]
        raise refuse(
            file,
            keyword,
            f"{', '.join(sorted(shown, key=_as_numbers))}{more} in slices that lie between each other",
            "one acquisition",
            "separate them, and read one of them from a folder of its own",
        )


def _as_numbers(text: str) -> tuple[int, str]:
    """80 before 140."""
    return len(text), text


def _overlapping(
    groups: Groups, within: int
) -> Iterator[tuple[tuple[str, list[int]], tuple[str, list[int]]]]:
    # Where every slice has a value of its own, it is the order of the stack, and there are no groups.
    if all(len(places) == 1 for places in groups.values()):
        return
    for (one, here), (other, there) in combinations(groups.items(), 2):
        inside = sum(there[0] < place < there[-1] for place in here)
        around = sum(here[0] < place < here[-1] for place in there)
        if inside + around > 0 and (within == 1 or min(inside, around) >= within):
            yield (one, here), (other, there)
