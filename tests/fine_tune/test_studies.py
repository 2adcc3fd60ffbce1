"""Series are found below any folders, by their headers; what is left out is said."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from made_up_studies import body, write_slice
from pydicom.uid import MRImageStorage, generate_uid

from fine_tune.studies import find_series
from resample_ct.errors import StudyError
from resample_ct.io.derivation import MANUFACTURER


def volume(slices=3, side=64):
    return np.repeat(body(side)[..., None], slices, axis=2).astype(np.float32)


def test_series_of_several_roots_come_in_a_fixed_order(studies):
    roots = [studies("CB", root="one"), studies("A", slices=3, root="two")]
    found = find_series(roots)
    assert [(s.patient, s.slices, s.kernel, s.thickness_mm) for s in found.series] == [
        ("A", 3, "B30f", 3.0),
        ("B", 2, "B30f", 3.0),
        ("C", 2, "B30f", 3.0),
    ]
    assert found.notes == found.unusable == ()
    assert find_series(roots[::-1]).series == found.series


def test_root_given_twice_counts_once(studies):
    root = studies("AB")
    assert find_series([root, root, root / "A"]) == find_series([root])


def test_linked_folders_are_followed_and_a_link_upwards_ends(studies, tmp_path):
    root, picked = studies("AB"), tmp_path / "picked"
    picked.mkdir()
    (picked / "one").symlink_to(root / "A", target_is_directory=True)
    (picked / "up").symlink_to(picked, target_is_directory=True)
    assert [(s.patient, s.slices) for s in find_series([picked]).series] == [("A", 2)]


def test_files_need_no_suffix_and_no_folder_of_their_own(tmp_path):
    for number, patient in enumerate("AABB"):
        uid = generate_uid(entropy_srcs=[patient])
        write_slice(tmp_path / f"IM{number}", body(), number, PatientID=patient, SeriesInstanceUID=uid)
    assert [(s.patient, s.slices) for s in find_series([tmp_path]).series] == [("A", 2), ("B", 2)]


def test_single_slices_of_many_series_are_series(tmp_path):
    for number in range(3):
        write_slice(tmp_path / f"{number}.dcm", body(), SeriesInstanceUID=generate_uid())
    assert [(s.patient, s.slices) for s in find_series([tmp_path]).series] == [("A", 1)] * 3


def test_series_without_uid_is_read(tmp_path):
    for place in range(2):
        write_slice(tmp_path / f"{place}.dcm", body(), place, SeriesInstanceUID=None)
    (series,) = find_series([tmp_path]).series
    assert len(series.read()) == 2


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"SOPClassUID": MRImageStorage}, "MR Image Storage"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "coronal or sagittal image"),
        ({"PatientID": "ACR_Phantom_GE"}, "phantom"),
        ({"Manufacturer": MANUFACTURER}, f"image made by {MANUFACTURER}"),
    ],
)
def test_what_is_not_trained_on_is_left_out_and_said(studies, tmp_path, attributes, reason):
    root = studies("A")
    for place in range(2):
        write_slice(root / "odd" / f"{place}.dcm", body(), place, **attributes)
    found = find_series([root])
    assert [s.patient for s in found.series] == ["A"]
    assert found.notes == (f"left out {reason}: 1 series, 2 files",)


def test_tilted_gantry_is_axial(tmp_path):
    tilt = np.deg2rad(25)
    cosines = [1, 0, 0, 0, float(np.cos(tilt)), float(np.sin(tilt))]
    write_slice(tmp_path / "1.dcm", body(), ImageOrientationPatient=cosines)
    assert len(find_series([tmp_path]).series) == 1


@pytest.mark.parametrize(
    ("attributes", "part"),
    [
        ({"BodyPartExamined": "CHEST"}, "chest"),
        ({"BodyPartExamined": "LIVER"}, "abdomen"),
        ({"BodyPartExamined": "KNEE", "StudyDescription": "CT chest"}, "chest"),
        ({"BodyPartExamined": "KNEE"}, "knee"),
        ({"SeriesDescription": "Brain 5 mm"}, "head"),
        ({}, "unknown"),
        # The letter means something in the AAPM collection only.
        ({"PatientID": "L004"}, "unknown"),
    ],
)
def test_body_part_is_what_the_header_tells(tmp_path, attributes, part):
    write_slice(tmp_path / "1.dcm", body(), **attributes)
    assert find_series([tmp_path]).series[0].body_part == part


def test_nifti_patient_is_the_first_folder_or_the_file(nifti_file):
    nifti_file("sub-01/ct/first.nii.gz", volume())
    nifti_file("sub-01/second.nii", volume(4))
    path = nifti_file("lung_07.nii.gz", volume(5))
    assert [(s.patient, s.key, s.slices, s.body_part) for s in find_series([path.parent]).series] == [
        ("lung_07", "lung_07.nii.gz", 5, "chest"),
        ("sub-01", "sub-01/ct/first.nii.gz", 3, "unknown"),
        ("sub-01", "sub-01/second.nii", 4, "unknown"),
    ]


def test_nifti_slices_are_counted_from_feet_to_head(tmp_path):
    import nibabel as nib

    affine = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(np.full((70, 80, 90), -1000, np.int16), affine), tmp_path / "a.nii")
    (series,) = find_series([tmp_path]).series
    assert series.slices == 80
    assert len(series.read()) == 80


def test_same_name_below_two_roots_is_refused(nifti_file, tmp_path):
    first = nifti_file("a.nii", volume())
    second = tmp_path / "other" / "a.nii"
    second.parent.mkdir()
    shutil.copy(first, second)
    with pytest.raises(StudyError, match=f"{second}: named as {first} below another --data"):
        find_series([first.parent, second.parent])


def test_no_ct_is_refused_with_what_was_seen(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")
    write_slice(tmp_path / "1.dcm", body(), SOPClassUID=MRImageStorage)
    with pytest.raises(StudyError, match=r"found no CT series \(left out MR Image Storage: 1 series"):
        find_series([tmp_path])


def test_missing_root_is_refused(tmp_path):
    with pytest.raises(StudyError, match="no such folder"):
        find_series([tmp_path / "nowhere"])


@pytest.mark.parametrize("content", [b"", b"x" * 50, b"x" * 5000, bytes(128) + b"DICM" + b"x" * 9])
def test_broken_dicom_is_named_and_left_out(studies, content):
    root = studies("A")
    (root / "A" / "broken.dcm").write_bytes(content)
    found = find_series([root])
    assert [(s.patient, s.slices) for s in found.series] == [("A", 2)]
    (broken,) = found.unusable
    assert broken.name == str(root / "A" / "broken.dcm")
    assert re.search(r"broken\.dcm: damaged DICOM .* copy it again", broken.reason)


def test_broken_nifti_is_named_and_left_out(nifti_file):
    root = nifti_file("whole.nii.gz", volume()).parent
    (root / "broken.nii.gz").write_bytes(b"no volume")
    found = find_series([root])
    assert [s.key for s in found.series] == ["whole.nii.gz"]
    assert [u.name for u in found.unusable] == [str(root / "broken.nii.gz")]
    assert "broken.nii.gz: cannot be read" in found.unusable[0].reason


def test_where_nothing_can_be_used_the_reason_is_told(tmp_path):
    (tmp_path / "broken.nii.gz").write_bytes(b"no volume")
    with pytest.raises(StudyError, match=r"found no CT series \(.*broken\.nii\.gz: cannot be read"):
        find_series([tmp_path])


def test_files_of_macos_are_no_slices(studies):
    root = studies("A")
    (root / "A" / "._000.dcm").write_bytes(b"x" * 50)
    assert len(find_series([root]).series) == 1


def test_tiny_slices_are_left_out(tmp_path, studies, nifti_file):
    write_slice(tmp_path / "dicom" / "1.dcm", body(8), SeriesInstanceUID=generate_uid())
    path = nifti_file("small.nii", volume(side=8))
    found = find_series([studies("A"), tmp_path / "dicom", path.parent])
    assert [s.patient for s in found.series] == ["A"]
    reasons = sorted(one.reason for one in found.unusable)
    assert "1.dcm: found slices of 8 x 8 pixels, expected at least 64" in reasons[0]
    assert "small.nii: found slices of 8 x 8 pixels" in reasons[1]
