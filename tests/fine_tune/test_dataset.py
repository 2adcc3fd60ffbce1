"""Slices to train on, and their split."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from fine_tune.dataset import (
    PatientSlices,
    balanced,
    read_patients,
    series_folders,
    split_by_patient,
)
from resample_ct.errors import StudyError
from resample_ct.units import Window


def patients(*counts):
    """Patients P0, P1, ... whose slices are numbered through."""
    numbers = torch.arange(float(sum(counts))).view(-1, 1, 1, 1)
    return [PatientSlices(f"P{i}", part) for i, part in enumerate(numbers.split(list(counts)))]


def named(name):
    return lambda dataset, index: setattr(dataset, "PatientID", name)


def test_series_of_one_patient_are_joined(series, tmp_path):
    series(2, named("B"), "one")
    series(1, named("A"), "two")
    series(3, named("B"), "three")
    found = read_patients([tmp_path], Window())
    assert [(p.patient, len(p.slices)) for p in found] == [("A", 1), ("B", 5)]
    slices = found[1].slices
    assert slices.shape[1:] == (1, 256, 256) and slices.min() >= 0 and slices.max() <= 1


def test_single_slices_of_many_series_in_one_folder_are_read(series, tmp_path):
    def edit(dataset, index):
        dataset.SeriesInstanceUID = generate_uid()
        dataset.PatientID = "AB"[index % 2]

    series(3, edit)
    assert [(p.patient, len(p.slices)) for p in read_patients([tmp_path], Window())] == [
        ("A", 2),
        ("B", 1),
    ]


def test_slices_without_patient_are_one_patient(series, tmp_path):
    series(1, lambda dataset, index: delattr(dataset, "PatientID"), "one")
    series(1, named(""), "two")
    assert [(p.patient, len(p.slices)) for p in read_patients([tmp_path], Window())] == [("", 2)]


def test_folders_come_in_a_fixed_order(series, tmp_path):
    folders = [series(1, name=name) for name in ("b", "c", "a")]
    assert series_folders(tmp_path) == sorted(folders)


def test_no_slices_are_refused(tmp_path):
    with pytest.raises(StudyError, match=f"--data {tmp_path}: no .dcm file below it"):
        read_patients([tmp_path], Window())


def test_nothing_but_air_is_refused(series, tmp_path):
    def empty(dataset, index):
        dataset.PatientID = "Z"
        dataset.RescaleSlope, dataset.RescaleIntercept = 0.001, -1000

    series(1, empty)
    with pytest.raises(StudyError, match="patient Z: every voxel is below -850 HU"):
        read_patients([tmp_path], Window())


@given(st.lists(st.integers(1, 4), min_size=2, max_size=6), st.data())
def test_split_is_a_partition_by_patient(counts, data):
    everyone = patients(*counts)
    names = [p.patient for p in everyone]
    held_out = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=len(names) - 1))
    train, validation = split_by_patient(everyone, held_out)
    assert {p.patient for p in validation} == set(held_out)
    assert sorted(p.patient for p in train + validation) == names


@pytest.mark.parametrize("held_out", [[], ["P9"], ["P0", "P9"], ["P0", "P1"], ["P0", "P1", "P1"]])
def test_impossible_split_is_refused(held_out):
    with pytest.raises(StudyError, match=r"--hold-out .*: found patients P0, P1, expected"):
        split_by_patient(patients(2, 3), held_out)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_balancing_loses_no_slice(counts):
    chosen = balanced(patients(*counts)).flatten()
    assert set(chosen.tolist()) == set(range(sum(counts)))


@pytest.mark.parametrize("counts", [(90, 6), (6, 90), (3, 90, 5), (300, 1)])
def test_small_patients_are_a_third_of_the_draws(counts):
    chosen = balanced(patients(*counts)).flatten()
    largest = patients(*counts)[counts.index(max(counts))].slices.flatten()
    share = 1 - torch.isin(chosen, largest).float().mean()
    assert float(share) == pytest.approx(1 / 3, abs=0.03)


def test_lone_patient_is_taken_as_it_is():
    (only,) = patients(4)
    assert torch.equal(balanced([only]), only.slices)
