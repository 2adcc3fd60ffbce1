"""The AAPM collection is known by its headers first, by its folders second."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from fine_tune import aapm
from fine_tune.studies import find_series


def headed(description=None, patient=None):
    header = Dataset()
    if description is not None:
        header.SeriesDescription = description
    if patient is not None:
        header.PatientID = patient
    return header


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("1.000000-Full dose images-59704", "full dose images"),
        ("1.000000-Full Dose Images-63186", "full dose images"),
        ("1.000000-Low Dose Images-71581", "low dose images"),
        ("1.000000-Full dose projections-24362", "full dose projections"),
        ("3.000000-Chest-12345", None),
        ("Full Dose Images", None),
    ],
)
def test_folders_name_their_series(folder, kind):
    assert aapm.folder_kind(Path(folder)) == kind


def test_header_decides_over_the_folder():
    folder = Path("1.000000-Full Dose Images-1")
    assert aapm.series_kind(headed("Low Dose Images"), folder) == "low dose images"
    assert aapm.series_kind(headed(), folder) == "full dose images"
    assert aapm.series_kind(headed("LOW DOSE CHEST"), Path("x")) is None


def test_detector_columns_betray_projections():
    header = headed("Full Dose Images")
    header.add_new(aapm.DETECTOR_COLUMNS, "US", 736)
    assert aapm.series_kind(header, Path("x")) == "projections"


def test_only_full_dose_images_are_found(aapm_tree):
    found = find_series([aapm_tree(("C002", "L004", "N024", "L014"))])
    assert [(s.patient, s.body_part, s.slices) for s in found.series] == [
        ("C002", "chest", 3),
        ("L004", "abdomen", 3),
        ("L014", "abdomen", 3),
        ("N024", "head", 3),
    ]
    assert {path.parent.name.lower().split("-")[1] for s in found.series for path in s.files} == {
        "full dose images"
    }
    assert found.notes == (
        "left out full dose projections: 4 series, 12 files",
        "left out low dose images: 4 series, 12 files",
        "left out low dose projections: 4 series, 12 files",
        "left out what is neither DICOM nor NIfTI: 2 series, 2 files",
    )


def test_projections_are_not_read_one_by_one(aapm_tree):
    """20,000 files a series: a damaged second one is never opened."""
    root = aapm_tree(("L004",))
    (folder,) = root.rglob("*Full dose projections*")
    (folder / "1-00002.dcm").write_bytes(b"cut off")
    assert len(find_series([root]).series) == 1


def test_folders_stand_in_for_lost_headers(aapm_tree):
    root = aapm_tree(("C002", "L004"))
    for path in root.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        del dataset.SeriesDescription, dataset.PatientID
        dataset.save_as(path)
    found = [(s.patient, s.body_part) for s in find_series([root]).series]
    assert found == [("C002", "chest"), ("L004", "abdomen")]
