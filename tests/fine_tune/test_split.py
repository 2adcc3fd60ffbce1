"""The split is by patient, drawn once, and its file is held against the data."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fine_tune.left_out import Unusable
from fine_tune.split import Request, draw_split, split_of
from fine_tune.studies import Series
from resample_ct.errors import StudyError

PARTS = ("chest", "abdomen", "head")


def series_of(counts, parts=PARTS):
    """One series each of patients P000, P001, ... with so many slices, body parts in turn."""
    return [
        Series(f"P{i:03d}", parts[i % len(parts)], f"1.2.{i}", "B30f", 3.0, count, (Path(f"{i}.dcm"),))
        for i, count in enumerate(counts)
    ]


def request(**changes):
    asked = {"seed": 0, "train_slices": 2000, "validation_slices": 300, "held_out": None}
    return Request(**{**asked, **changes})


def drawn_of(half, series):
    owner = {s.key: s.patient for s in series}
    counts = Counter()
    for key, indices in half.slices.items():
        counts[owner[key]] += len(indices)
    return counts


counts_lists = st.lists(st.integers(1, 30), min_size=2, max_size=60)


@given(counts_lists, st.integers(0, 5), st.integers(1, 200), st.integers(1, 50))
def test_halves_share_no_patient_and_lose_none(counts, seed, train_slices, validation_slices):
    series = series_of(counts)
    asked = request(seed=seed, train_slices=train_slices, validation_slices=validation_slices)
    split = draw_split(series, [], asked)
    names = {s.patient for s in series}
    assert not set(split.train.patients) & set(split.validation.patients)
    assert set(split.train.patients) | set(split.validation.patients) == names
    assert len(split.validation.patients) == max(1, round(0.2 * len(names)))
    lengths = {s.key: s.slices for s in series}
    owner = {s.key: s.patient for s in series}
    for half, wanted in ((split.train, train_slices), (split.validation, validation_slices)):
        available = sum(s.slices for s in series if s.patient in half.patients)
        assert len(half) == min(wanted, available)
        for key, indices in half.slices.items():
            assert owner[key] in half.patients
            assert len(set(indices)) == len(indices) and max(indices) < lengths[key]


@given(counts_lists, st.integers(1, 200))
def test_slices_are_spread_evenly_over_patients(counts, wanted):
    series = series_of(counts)
    split = draw_split(series, [], request(train_slices=wanted))
    available = {s.patient: s.slices for s in series}
    counts = drawn_of(split.train, series)
    most = max(counts.values())
    for patient in split.train.patients:
        # Fewer than the most but one only where there are no more.
        assert counts[patient] >= most - 1 or counts[patient] == available[patient]


def test_fifty_patients_are_split_as_in_the_paper():
    split = draw_split(series_of([200] * 50), [], request())
    assert (len(split.train.patients), len(split.validation.patients)) == (40, 10)
    assert (len(split.train), len(split.validation)) == (2000, 300)
    assert set(drawn_of(split.train, series_of([200] * 50)).values()) == {50}


@given(st.integers(0, 20))
def test_every_body_part_gives_its_share(seed):
    split = draw_split(series_of([5] * 60), [], request(seed=seed))
    assert Counter(split.validation.patients.values()) == dict.fromkeys(PARTS, 4)


def test_seed_decides():
    series = series_of([40] * 20)
    one, same, other = (draw_split(series, [], request(seed=s, train_slices=50)) for s in (1, 1, 2))
    assert one == same
    assert one.validation.patients != other.validation.patients


def test_held_out_patients_validate():
    split = draw_split(series_of([3] * 6), [], request(held_out=("P001", "P004")))
    assert list(split.validation.patients) == ["P001", "P004"]


@pytest.mark.parametrize("held_out", [(), ("P9",), ("P000", "P9"), ("P000", "P001")])
def test_impossible_hold_out_is_refused(held_out):
    with pytest.raises(StudyError, match=r"--hold-out .*: found patients P000, P001, expected"):
        draw_split(series_of([2, 3]), [], request(held_out=held_out))


def test_kernels_of_one_acquisition_stay_together():
    series = [replace(s, patient=f"P{i // 2}") for i, s in enumerate(series_of([4] * 12))]
    split = draw_split(series, [], request())
    sides = {s.patient: {s.key in half.slices for half in (split.train,)} for s in series}
    assert all(len(side) == 1 for side in sides.values())


def test_one_patient_is_refused():
    series = [replace(s, patient="P") for s in series_of([4, 4])]
    with pytest.raises(StudyError, match="found one patient only"):
        draw_split(series, [], request())


@pytest.fixture
def series():
    return series_of([4] * 6)


@pytest.fixture
def file(series, tmp_path):
    path = tmp_path / "run" / "split.json"
    split_of(series, [Path("studies")], path, request(), sound)
    return path


def sound(_):
    """Nothing speaks against any series."""
    return None


def edited(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_file_is_reused(file, series):
    before = file.read_bytes()
    first, _ = split_of(series, [Path("studies")], file, request(), sound)
    again, notes = split_of(series[::-1], [Path("moved")], file, request(), sound)
    assert again == first and notes == ()
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == ["split.json"]


def test_file_is_read_rather_than_drawn(file, series):
    """Whatever the drawing becomes, a run goes on with its own slices."""
    edited(file, lambda content: content["train"]["slices"].clear())
    assert len(split_of(series, [], file, request(), sound)[0].train) == 0


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"train_slices": 5}, {"validation_slices": 5}, {"held_out": ("P000",)}]
)
def test_other_request_needs_another_file(file, series, changes):
    (name,) = changes
    with pytest.raises(StudyError, match=f"{name}: drawn for .*, asked for .*another file"):
        split_of(series, [], file, request(**changes), sound)


def test_patient_in_both_halves_is_refused(file, series):
    edited(file, lambda c: c["train"]["patients"].update(c["validation"]["patients"]))
    with pytest.raises(StudyError, match=r"split\.json: patient P\d+: found in train and in validation"):
        split_of(series, [], file, request(), sound)


def test_slices_of_the_other_half_are_refused(file, series):
    edited(file, lambda c: c["train"]["slices"].update(c["validation"]["slices"]))
    with pytest.raises(StudyError, match=r"train: found slices of series 1\.2\.\d of patient P\d+"):
        split_of(series, [], file, request(), sound)


@pytest.mark.parametrize("indices", [[0, 0], [4], [-1]])
def test_impossible_slices_are_refused(file, series, indices):
    def edit(content):
        key = next(iter(content["train"]["slices"]))
        content["train"]["slices"][key] = indices

    edited(file, edit)
    with pytest.raises(StudyError, match="expected different ones from 0 to 3"):
        split_of(series, [], file, request(), sound)


def test_vanished_patient_is_named(file, series):
    with pytest.raises(StudyError, match="patient P002: not in --data any more"):
        split_of([s for s in series if s.patient != "P002"], [], file, request(), sound)


def test_changed_series_is_named(file, series):
    shorter = [replace(s, slices=3) if s.patient == "P003" else s for s in series]
    with pytest.raises(StudyError, match=r"series 1\.2\.3: found 3 slices of patient P003, expected 4"):
        split_of(shorter, [], file, request(), sound)
    renamed = [replace(s, key="9.9") if s.patient == "P003" else s for s in series]
    with pytest.raises(StudyError, match=r"series 1\.2\.3: found nothing, expected 4 slices"):
        split_of(renamed, [], file, request(), sound)


def test_new_series_of_a_known_patient_is_named(file, series):
    more = [*series, replace(series[0], key="9.9")]
    with pytest.raises(StudyError, match=r"patient P000: found series 9\.9 .* was not there"):
        split_of(more, [], file, request(), sound)


def test_new_patients_are_not_used_and_that_is_said(file, series):
    more = [*series, replace(series[0], key="9.9", patient="late")]
    split, notes = split_of(more, [], file, request(), sound)
    assert "9.9" not in split.series
    assert notes == (f"not used, for they are not in {file}: patients late",)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 2}'])
def test_file_of_another_kind_is_refused(file, series, content):
    file.write_text(content)
    with pytest.raises(StudyError, match=r"split\.json: .*expected a split file of version 1"):
        split_of(series, [], file, request(), sound)


def test_a_series_that_cannot_be_used_is_drawn_around_and_remembered(series, tmp_path):
    """The split is the one of data that never held the bad series; the file says what was left out."""
    path = tmp_path / "split.json"
    bad, asked = series[2], []

    def reason(one):
        asked.append(one.key)
        return "a gap of 6 mm" if one == bad else None

    drawn, _ = split_of(series, [], path, request(), reason)
    without = draw_split([one for one in series if one != bad], [], request())
    assert (drawn.train, drawn.validation) == (without.train, without.validation)
    assert drawn.left_out == {bad.key: Unusable(bad.name, "a gap of 6 mm")}
    assert sorted(asked) == sorted(one.key for one in series)
    again, notes = split_of(series, [], path, request(), reason)
    assert again == drawn and notes == ()
    assert len(asked) == len(series)


def test_series_of_which_nothing_is_drawn_are_not_looked_at(tmp_path):
    series, asked = series_of([50] * 4), []
    more = [replace(s, key=f"{s.key}.{n}") for s in series for n in range(20)]
    wanted = request(train_slices=6, validation_slices=2)
    drawn, _ = split_of(more, [], tmp_path / "split.json", wanted, lambda one: asked.append(one.key))
    assert set(asked) == {*drawn.train.slices, *drawn.validation.slices}


def test_too_little_left_is_refused_with_the_reason(series, tmp_path):
    with pytest.raises(StudyError, match=r"found one patient only.*; P001: cut off"):
        split_of(
            series[:2],
            [],
            tmp_path / "split.json",
            request(),
            lambda one: "P001: cut off" if one == series[1] else None,
        )
    assert not (tmp_path / "split.json").exists()


def test_lopsided_split_is_said(tmp_path):
    series = series_of([100, 2, 2])
    _, notes = split_of(series, [], tmp_path / "split.json", request(held_out=("P000",)), sound)
    assert notes and notes[0].startswith("4 slices to train on and 100 to validate")
