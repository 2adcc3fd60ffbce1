"""Differences between a series' slices: two objects are refused, an archive's artefact is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from resample_ct.errors import StudyError
from resample_ct.io.one_object import check_frame_of_reference
from resample_ct.io.read import read_study
from resample_ct.io.sources import SourceFile
from resample_ct.values.volume import Grid


def stack_of(uids, heights=None):
    """Slices with these frames of reference, 5 mm apart, and their grid."""
    heights = 5.0 * np.arange(len(uids)) if heights is None else np.array(heights)
    grid = Grid(
        positions=np.stack([0 * heights, 0 * heights, heights], axis=1),
        row_direction=np.array([1.0, 0, 0]),
        column_direction=np.array([0, 1.0, 0]),
        spacing_mm=(1.0, 1.0),
        rows=4,
        columns=4,
        thickness_mm=5.0,
    )
    ordered = []
    for place, frame in enumerate(uids):
        header = Dataset()
        header.FrameOfReferenceUID = frame
        ordered.append((SourceFile(Path(f"{place}.dcm")), header))
    return ordered, grid


@given(st.integers(1, 2), st.integers(2, 20), st.randoms())
def test_a_frame_of_each_slice_or_pair_is_one_and_said(group, frames, random):
    uids = [f"1.2.{number}" for number in range(max(frames, 3)) for _ in range(group)]
    random.shuffle(uids)
    (note,) = check_frame_of_reference(*stack_of(uids))
    assert note.startswith(f"{len(set(uids))} FrameOfReferenceUIDs in {len(uids)} evenly spaced slices")


@given(st.integers(3, 9), st.integers(1, 9), st.randoms())
def test_two_frames_that_slices_share_are_two_objects(first, second, random):
    """However the slices of the two lie among each other: one behind the other, or in turn."""
    uids = ["1.2.1"] * first + ["1.2.2"] * second
    random.shuffle(uids)
    with pytest.raises(StudyError, match=r"\.dcm: FrameOfReferenceUID \(0020,0052\): found 1\.2\.[12]"):
        check_frame_of_reference(*stack_of(uids))


def test_two_pairs_are_two_objects():
    with pytest.raises(StudyError, match="separate the two"):
        check_frame_of_reference(*stack_of(["1.2.1", "1.2.1", "1.2.2", "1.2.2"]))


def test_positions_of_many_frames_that_are_not_even_do_not_belong_together():
    with pytest.raises(StudyError, match="positions in two frames of reference cannot be compared"):
        check_frame_of_reference(*stack_of(["1.2.1", "1.2.2", "1.2.3", "1.2.4"], [0, 5, 12, 17]))


@pytest.mark.parametrize("uids", [["1.2.3"] * 4, [""] * 4, ["", "1.2.3", "1.2.3", ""], ["1.2.3"]])
def test_one_frame_or_none_is_nothing_to_tell(uids):
    assert check_frame_of_reference(*stack_of(uids)) == []


def test_the_result_has_one_frame_of_reference(series, rewrite):
    def own_frame(dataset, index):
        dataset.FrameOfReferenceUID = f"1.2.3.{index}"

    study = read_study(series(4, own_frame))
    written = [pydicom.dcmread(path) for path in sorted(rewrite(study).iterdir())]
    assert {header.FrameOfReferenceUID for header in written} == {study.headers[0].FrameOfReferenceUID}


def test_an_empty_tag_says_no_more_than_a_missing_one(series):
    def anonymise(dataset, index):
        dataset.PatientID = ""
        if index == 2:
            del dataset.PatientID

    assert len(read_study(series(4, anonymise))) == 4


def test_a_patient_without_name_is_not_the_one_with(series, refusal):
    def anonymise(dataset, index):
        if index == 2:
            dataset.PatientID = ""

    message = refusal(series(4, anonymise))
    assert "PatientID (0010,0020): found nothing, expected the same as in" in message


def test_two_studies_are_two_objects(series, refusal):
    def own_study(dataset, index):
        dataset.StudyInstanceUID = generate_uid() if index == 2 else dataset.StudyInstanceUID

    assert "StudyInstanceUID (0020,000D)" in refusal(series(4, own_study))
