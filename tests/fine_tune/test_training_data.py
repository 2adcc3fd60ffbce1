"""Folders of studies become MONAI datasets of slices, or one clear error."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from made_up_studies import body, write_slice
from monai.data import CacheDataset, DataLoader, PersistentDataset
from pydicom.uid import generate_uid

from fine_tune.slice_reading import quantised, restored
from fine_tune.studies import find_series
from fine_tune.training_data import prepare, weights
from resample_ct.errors import StudyError
from resample_ct.io.read import read_study
from resample_ct.values.network_grid import network_slices
from resample_ct.values.units import Window

TRAIN = Path(os.environ.get("RESAMPLE_CT_SHARED", Path(__file__).parents[3] / "shared")) / "ct" / "train"


@pytest.fixture
def prepared(tmp_path):
    """Prepares roots with a split file beside them."""

    def make(*roots, **options):
        return prepare(list(roots), Window(), tmp_path / "split.json", **options)

    return make


def test_items_are_slices_with_what_they_show(studies, prepared):
    data = prepared(studies("AB", slices=3, BodyPartExamined="CHEST"))
    assert (len(data.train), len(data.validation)) == (3, 3)
    item = data.train[1]
    assert set(item) == {
        *("image", "next", "patient", "body_part", "kernel", "spacing_mm", "thickness_mm"),
    }
    assert item["image"].shape == item["next"].shape == (1, 256, 256)
    assert item["image"].dtype == item["next"].dtype == torch.float32
    assert item["image"].min() >= 0 and item["image"].max() <= 1
    assert (item["body_part"], item["kernel"], item["thickness_mm"]) == ("chest", "B30f", 3.0)
    # 64 pixels of 4 mm are 256 of 1 mm.
    assert item["spacing_mm"] == pytest.approx(1.0)


def test_values_are_those_of_the_reader_to_a_twentieth_of_a_hu(studies, prepared):
    root = studies("AB", slices=3)
    data = prepared(root, held_out=["B"])
    window = Window()
    expected, _ = network_slices(read_study(root / "A").volume, window)
    for index in range(3):
        error = (data.train[index]["image"] - expected[index]).abs().max() * window.width
        assert error < 0.05


def test_next_is_the_following_slice_whether_drawn_or_not(studies, prepared):
    root = studies("AB", slices=6)
    data = prepared(root, held_out=["B"], train_slices=3)
    expected, _ = network_slices(read_study(root / "A").volume, Window())
    ((_, places),) = data.split.train.slices.items()
    assert len(places) == 3
    for item, place in zip(data.train, places, strict=True):
        torch.testing.assert_close(item["image"], expected[place], atol=1e-5, rtol=0)
        torch.testing.assert_close(item["next"], expected[min(place + 1, 5)], atol=1e-5, rtol=0)


def test_padding_is_air(tmp_path, prepared):
    for patient in "AB":
        hu = body()
        hu[:5] = -1024.0
        attributes = {"PatientID": patient, "PixelPaddingValue": 0, "RescaleIntercept": -2000}
        write_slice(tmp_path / patient / "1.dcm", hu + 976, **attributes)
    assert prepared(tmp_path).train[0]["image"][0, 0].max() == 0


def test_large_data_is_cached_on_disk_and_read_from_there(studies, prepared, tmp_path):
    root = studies("AB", slices=3)
    in_memory = prepared(root)
    assert isinstance(in_memory.train, CacheDataset)
    on_disk = prepared(root, memory_limit=0)
    assert isinstance(on_disk.train, PersistentDataset)
    for one, other in zip(in_memory.train, on_disk.train, strict=True):
        assert torch.equal(one["image"], other["image"]) and torch.equal(one["next"], other["next"])
        assert {k: v for k, v in one.items() if k not in ("image", "next")} == {
            k: v for k, v in other.items() if k not in ("image", "next")
        }
    cached = list((tmp_path / "split.json.cache").iterdir())
    assert len(cached) == 6
    prepared(root, memory_limit=0)
    assert sorted((tmp_path / "split.json.cache").iterdir()) == sorted(cached)


def test_changed_pixels_are_read_anew(studies, prepared):
    root = studies("AB", slices=1)
    before = prepared(root, memory_limit=0, held_out=["B"]).train[0]["image"].clone()
    dataset = pydicom.dcmread(root / "A" / "000.dcm")
    dataset.PixelData = (body(value=300.0) + 1024).astype("<u2").tobytes()
    dataset.save_as(root / "A" / "000.dcm")
    after = prepared(root, memory_limit=0, held_out=["B"]).train[0]["image"]
    assert not torch.equal(before, after)


def test_loader_makes_batches(studies, prepared):
    data = prepared(studies("ABC", slices=2), held_out=["C"])
    (batch,) = DataLoader(data.train, batch_size=4)
    assert batch["image"].shape == (4, 1, 256, 256)
    assert sorted(batch["patient"]) == ["A", "A", "B", "B"]


def test_items_do_not_change_when_used(studies, prepared):
    data = prepared(studies("AB"))
    first = data.train[0]["image"].clone()
    data.train[0]["image"].zero_()
    assert torch.equal(data.train[0]["image"], first)


def test_progress_ends_at_all_slices(studies, prepared):
    seen = []
    prepared(studies("AB", slices=3), progress=lambda done, total, label: seen.append((done, total)))
    assert seen[-1] == (6, 6)


def test_quantisation_is_off_by_less_than_a_thirtieth_of_a_hu():
    values = torch.linspace(0, 1, 10_001).view(1, -1)
    assert (restored(quantised(values)) - values).abs().max() * 3000 < 1 / 30
    assert restored(quantised(torch.tensor([0.0, 1.0]))).tolist() == [0.0, 1.0]


def test_patients_weigh_alike_up_to_eightfold_slices(tmp_path, prepared):
    counts = {"A": 40, "B": 20, "C": 2, "V": 1}
    for patient, count in counts.items():
        for place in range(count):
            write_slice(tmp_path / patient / f"{place}.dcm", body(), place, PatientID=patient)
    data = prepared(tmp_path, held_out=["V"])
    drawn = weights(data.train)
    by_patient = {p: drawn[[i["patient"] == p for i in data.train.data]] for p in "ABC"}
    assert [(float(w.sum()), set(w.tolist())) for w in by_patient.values()] == [
        (40.0, {1.0}),
        (40.0, {2.0}),
        (16.0, {8.0}),
    ]


def test_collection_of_the_archive_is_prepared(aapm_tree, prepared):
    data = prepared(aapm_tree(("C002", "C004", "L004", "L014", "N024")))
    halves = {**data.split.train.patients, **data.split.validation.patients}
    assert halves == {
        "C002": "chest",
        "C004": "chest",
        "L004": "abdomen",
        "L014": "abdomen",
        "N024": "head",
    }
    assert len(data.validation) == 3
    assert any("low dose images" in note for note in data.notes)


BAD = [
    ({"PixelSpacing": None}, r"PixelSpacing \(0028,0030\): found nothing"),
    ({"RescaleSlope": "NaN"}, r"RescaleSlope \(0028,1053\)"),
    ({"RescaleIntercept": None}, r"RescaleIntercept \(0028,1052\): found nothing"),
    ({"RescaleIntercept": 0}, r"values lie between 24 and 1065, expected HU"),
    ({"RescaleSlope": 0.001, "RescaleIntercept": -1000}, "every voxel is below -850 HU"),
    ({"PixelData": bytes(2 * 64 * 64)}, "every voxel is -1024"),
    ({"PixelData": bytes(99)}, r"PixelData \(7FE0,0010\)"),
]


@pytest.mark.parametrize(("attributes", "message"), BAD)
@pytest.mark.filterwarnings("ignore:Invalid value for VR:UserWarning", "ignore:.*NaN.*:UserWarning")
def test_bad_series_is_left_out_and_named(studies, tmp_path, prepared, attributes, message):
    root = studies("AB")
    for place in range(2):
        path = root / "bad" / f"{place}.dcm"
        write_slice(path, body(value=41.0), place, PatientID="C", **attributes)
    data = prepared(root)
    assert sorted({**data.split.train.patients, **data.split.validation.patients}) == ["A", "B"]
    (left_out,) = data.unusable
    assert left_out.name == str(root / "bad")
    assert re.search(message, left_out.reason)
    with pytest.raises(StudyError, match=rf"bad.*{message}.*--strict"):
        prepare([root], Window(), tmp_path / "strict.json", strict=True)
    with pytest.raises(StudyError, match=rf"bad.*{message}.*--strict"):
        prepared(root, strict=True)


def test_damaged_file_is_left_out_and_refused_where_strict(studies, prepared):
    root = studies("AB")
    (root / "A" / "broken.dcm").write_bytes(b"x" * 50)
    assert [one.name for one in prepared(root).unusable] == [str(root / "A" / "broken.dcm")]
    with pytest.raises(StudyError, match=r"broken\.dcm: damaged DICOM .*--strict"):
        prepared(root, strict=True)


def test_missing_slice_leaves_the_series_out(studies, prepared):
    root = studies("ABC", slices=5)
    (root / "A" / "002.dcm").unlink()
    data = prepared(root)
    assert sorted({**data.split.train.patients, **data.split.validation.patients}) == ["B", "C"]
    assert re.search(r"003\.dcm: ImagePositionPatient .* found a gap of 6 mm", data.unusable[0].reason)


def test_frames_of_reference_of_each_slice_are_one(studies, prepared):
    """As de-identification left the first patient of LIDC-IDRI."""
    root = studies("AB", slices=4)
    for path in (root / "A").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.FrameOfReferenceUID = generate_uid()
        dataset.save_as(path)
    data = prepared(root)
    assert data.unusable == ()
    assert sorted({**data.split.train.patients, **data.split.validation.patients}) == ["A", "B"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda v: np.where(v > 0, np.nan, v), "found a non-finite value"),
        (lambda v: (v + 1000) / 3000, "values lie between 0 and .*normalised"),
        (lambda v: np.full_like(v, -1000), "every voxel is -1000"),
    ],
)
def test_bad_volume_is_left_out_and_named(nifti_file, prepared, edit, message):
    good = np.repeat(body()[..., None], 3, axis=2).astype(np.float32)
    for name in ("one.nii.gz", "two.nii.gz"):
        nifti_file(name, good)
    path = nifti_file("bad.nii.gz", edit(good).astype(np.float32))
    (left_out,) = prepared(path.parent).unusable
    assert re.search(rf"bad\.nii\.gz: {message}", left_out.reason)


def test_one_patient_is_refused_before_training(studies, prepared, tmp_path):
    with pytest.raises(StudyError, match="found one patient only"):
        prepared(studies("A"))
    assert not (tmp_path / "split.json").exists()


def test_volumes_and_series_mix(studies, nifti_file, prepared):
    path = nifti_file("V1.nii.gz", np.repeat(body()[..., None], 3, axis=2).astype(np.int16))
    data = prepared(studies("A"), path.parent, held_out=["V1"])
    assert [item["patient"] for item in data.validation] == ["V1"] * 3
    # NIfTI says no thickness: the step between slices stands for it.
    assert data.validation[0]["thickness_mm"] == 2.0


@pytest.mark.slow
@pytest.mark.skipif(not TRAIN.exists(), reason="the training studies of development are not here")
def test_training_studies_of_development_have_every_patient():
    found = find_series([TRAIN])
    folders = {path.name for collection in TRAIN.iterdir() for path in collection.iterdir()}
    assert {series.patient for series in found.series} == folders
    assert found.notes == found.unusable == ()
    (lidc,) = [series for series in found.series if series.patient == "LIDC-IDRI-0001"]
    assert len(lidc.read()) == 66
