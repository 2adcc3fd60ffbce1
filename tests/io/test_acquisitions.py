"""Two acquisitions whose slices lie between each other are refused by the tag that tells them apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from resample_ct.errors import StudyError
from resample_ct.io import acquisitions
from resample_ct.io.acquisitions import check_one_acquisition
from resample_ct.io.datasets import item
from resample_ct.io.sources import SourceFile

TWO = {
    "AcquisitionNumber": (1, 2),
    "TemporalPositionIdentifier": (1, 2),
    "NominalPercentageOfCardiacPhase": (40, 75),
    "EchoNumbers": (1, 2),
    "KVP": (80, 140),
    "ConvolutionKernel": ("B40f", "B70f"),
    "AcquisitionTime": ("100000", "100230.5"),
    "ContentTime": ("100000", "100230.5"),
    "AcquisitionDateTime": ("20260101235950", "20260102000010"),
    "TriggerTime": (300, 700),
}


def headers(count, **of_each):
    """Slices along the normal, each with the values that a list or function gives it."""
    made = []
    for place in range(count):
        header = Dataset()
        for keyword, value in of_each.items():
            setattr(header, keyword, value(place) if callable(value) else value[place])
        made.append((SourceFile(Path(f"{place:02d}.dcm")), header))
    return made


def clock(seconds):
    """TM of so many seconds after ten."""
    return f"10{int(seconds) // 60 % 60:02d}{seconds % 60:09.6f}"


def interleaved(first, second, start):
    """Slices of two passes along the stack, the second from `start` on between the first's."""
    labels = [0] * start
    for place in range(max(first - start, second)):
        labels += [0] * (start + place < first) + [1] * (place < second)
    return labels


passes = st.tuples(st.integers(4, 12), st.integers(4, 12), st.integers(0, 1)).map(
    lambda drawn: interleaved(*drawn)
)


@pytest.mark.parametrize(("keyword", "values"), TWO.items())
@given(labels=passes)
@settings(max_examples=20)
def test_two_phases_between_each_other_are_named(keyword, values, labels):
    ordered = headers(len(labels), **{keyword: lambda place: values[labels[place]]})
    with pytest.raises(StudyError, match=rf"{keyword} .*slices that lie between each other") as caught:
        check_one_acquisition(ordered)
    assert all(str(value) in str(caught.value) for value in values)


@pytest.mark.parametrize(("keyword", "values"), TWO.items())
@given(first=st.integers(1, 10), second=st.integers(1, 10))
@settings(max_examples=20)
def test_one_behind_the_other_is_one_stack(keyword, values, first, second):
    labels = [0] * first + [1] * second
    check_one_acquisition(headers(len(labels), **{keyword: lambda place: values[labels[place]]}))


@given(st.integers(1, 40), st.integers(1, 4), st.sampled_from([1, -1]), st.floats(0.1, 20))
def test_table_positions_in_order_are_one_scan(count, rows, direction, seconds):
    """Step and shoot: each position has its number and its time, some slices share one."""

    def shot(place):
        return (place if direction > 0 else count - 1 - place) // rows

    check_one_acquisition(
        headers(
            count,
            AcquisitionNumber=shot,
            AcquisitionTime=lambda place: clock(seconds * shot(place)),
            InstanceNumber=lambda place: count - place,
        )
    )


@given(labels=passes, back=st.booleans())
@settings(max_examples=20)
@pytest.mark.parametrize("keyword", ["AcquisitionTime", "InstanceNumber"])
def test_the_order_of_the_slices_tells_two_passes(keyword, labels, back):
    """No jump, no number: the table goes over the stack twice, on the same way or back."""
    places = [[p for p, label in enumerate(labels) if label == one] for one in (0, 1)]
    order = places[0] + (places[1][::-1] if back else places[1])
    rank = {place: number for number, place in enumerate(order)}
    value = (lambda place: clock(0.5 * rank[place])) if "Time" in keyword else lambda p: rank[p] + 1
    with pytest.raises(StudyError, match=rf"{keyword} .* to .*slices that lie between each other"):
        check_one_acquisition(headers(len(labels), **{keyword: value}))


@given(labels=passes)
@settings(max_examples=20)
def test_a_pause_between_two_passes_tells_them(labels):
    """Every slice has a time of its own; the second pass begins half a minute after the first's end."""
    counts = [0, 0]
    times = []
    for label in labels:
        times.append(clock(30 * label + 0.3 * counts[label]))
        counts[label] += 1
    with pytest.raises(StudyError, match=r"AcquisitionTime .*100000"):
        check_one_acquisition(headers(len(labels), AcquisitionTime=times))


@given(st.lists(st.integers(-20, 20), min_size=4, max_size=30))
def test_heartbeats_that_differ_a_little_are_one_phase(jitter):
    """A heart's phase is met to some ms, so that equal moments lie about others."""
    moments = [700 + beat // 3 for beat in jitter]
    check_one_acquisition(headers(len(moments), TriggerTime=moments))


def test_tube_current_and_windows_may_change_from_slice_to_slice():
    check_one_acquisition(headers(6, XRayTubeCurrent=[200, 210] * 3, WindowCenter=[40, 50] * 3))


def test_frames_of_enhanced_ct_are_told_apart_by_their_content():
    ordered = headers(4)
    for place, (_, header) in enumerate(ordered):
        content = item(FrameAcquisitionNumber=1 + place % 2)
        header.PerFrameFunctionalGroupsSequence = [item(FrameContentSequence=[content])]
    with pytest.raises(StudyError, match=r"FrameAcquisitionNumber \(0020,9156\): found 1, 2 in slices"):
        check_one_acquisition(ordered)


def test_equal_numbers_written_in_two_ways_are_equal():
    check_one_acquisition(headers(4, SliceThickness=["5", "5.0", "5", "5.00"]))


@pytest.mark.parametrize("keyword", [*acquisitions._KINDS, *acquisitions._LEAST_JUMP])
def test_every_tag_is_in_the_dictionary(keyword):
    assert tag_for_keyword(keyword) is not None
