"""Which files make a study, and in which order."""

import io
import zipfile

import numpy as np
import pydicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from resample_ct.io.read import read_study

ORDER = [2, 0, 3, 1]


def heights(study):
    return study.grid.positions[:, 2].tolist()


def test_file_names_do_not_decide_the_order(series):
    folder = series()
    expected = heights(read_study(folder))
    for old, new in enumerate(ORDER):
        (folder / f"{old:02d}.dcm").rename(folder / f"x{new}.dcm")
    assert heights(read_study(folder)) == expected == sorted(expected)


def test_instance_numbers_do_not_decide_the_order(series):
    expected = heights(read_study(series()))
    shuffled = series(4, lambda dataset, i: setattr(dataset, "InstanceNumber", ORDER[i]), "shuffled")
    assert heights(read_study(shuffled)) == expected


def test_headers_and_pixels_follow_the_order(series):
    folder = series(4, lambda dataset, i: setattr(dataset, "InstanceNumber", ORDER[i]))
    study = read_study(folder)
    for index, header in enumerate(study.headers):
        source = pydicom.dcmread(folder / f"{ORDER.index(header.InstanceNumber):02d}.dcm")
        assert source.ImagePositionPatient == study.grid.positions[index].tolist()
        np.testing.assert_array_equal(study.pixels(index).hu, source.pixel_array - 1024.0)


def test_slices_are_ascending_along_the_normal_whatever_the_scan_direction(series):
    def reverse(dataset, index):
        dataset.ImagePositionPatient[2] = -float(dataset.ImagePositionPatient[2])

    assert (read_study(series(4, reverse)).grid.gaps_mm > 0).all()


@pytest.fixture
def as_folder(series):
    return series()


def as_list(folder):
    return sorted(folder.iterdir())[::-1]


def as_zip(folder):
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"study/{file.name}")
    return path


def nested(folder):
    for index, file in enumerate(sorted(folder.iterdir())):
        (folder / str(index)).mkdir()
        file.rename(folder / str(index) / "image")
    return folder


@pytest.mark.parametrize("source", [str, as_list, as_zip, nested])
def test_a_folder_and_other_sources_give_the_same_study(as_folder, source):
    whole = read_study(as_folder)
    expected = whole.volume.hu
    other = read_study(source(as_folder))
    np.testing.assert_array_equal(other.volume.hu, expected)
    np.testing.assert_array_equal(other.grid.positions, whole.grid.positions)
    assert [h.SOPInstanceUID for h in other.headers] == [h.SOPInstanceUID for h in whole.headers]


def test_a_single_file_is_a_study_of_one_slice(as_folder):
    whole = read_study(as_folder)
    file = next(f for f in as_folder.iterdir() if pydicom.dcmread(f).InstanceNumber == 2)
    lone = read_study(file)
    place = [h.InstanceNumber for h in whole.headers].index(2)
    np.testing.assert_array_equal(lone.volume.hu[0], whole.volume.hu[place])


def two_series(dataset, index):
    if index > 1:
        dataset.SeriesInstanceUID = "1.2.3"


def test_several_series_are_listed_by_uid(series, refusal):
    folder = series(4, two_series)
    message = refusal(folder)
    first = pydicom.dcmread(folder / "00.dcm").SeriesInstanceUID
    assert "SeriesInstanceUID (0020,000E)" in message
    assert f"{first} (2 slices" in message
    assert "1.2.3 (2 slices" in message
    assert "--series" in message


def test_a_series_is_chosen_by_its_uid(series):
    study = read_study(series(4, two_series), "1.2.3")
    assert study.uid == "1.2.3"
    assert len(study) == 2


def test_a_uid_that_is_not_there_is_answered_with_those_that_are(series, refusal):
    assert "1.2.3 (2 slices" in refusal(series(4, two_series), "9.9")


def test_a_multi_frame_series_does_not_stop_another_one_from_being_chosen(series):
    def edit(dataset, index):
        two_series(dataset, index)
        dataset.NumberOfFrames = 1 if index > 1 else 3

    assert len(read_study(series(4, edit), "1.2.3")) == 2


@pytest.mark.parametrize("kind", [["ORIGINAL", "PRIMARY", "LOCALIZER"], "LOCALIZER"])
def test_localizers_are_left_out_and_named(series, kind):
    study = read_study(series(4, lambda dataset, i: i or setattr(dataset, "ImageType", kind)))
    assert len(study) == 3
    assert "left out 1 x localizer" in study.notes


def test_other_sop_classes_are_left_out_and_named(series):
    def capture(dataset, index):
        if index == 0:
            dataset.SOPClassUID = SecondaryCaptureImageStorage

    study = read_study(series(4, capture))
    assert len(study) == 3
    assert "left out 1 x Secondary Capture Image Storage" in study.notes


def test_a_dicom_without_an_image_is_left_out_and_named(series):
    folder = series()
    report = pydicom.dcmread(folder / "00.dcm", stop_before_pixels=True)
    report.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    for keyword in ("Rows", "Columns"):
        delattr(report, keyword)
    report.save_as(folder / "report")
    assert "left out 1 x Basic Text SR Storage" in read_study(folder).notes


def test_files_that_are_no_dicom_are_ignored_and_counted(series):
    folder = series()
    (folder / "readme.txt").write_text("Thorax\n" * 500)
    (folder / "empty").touch()
    (folder / "._00.dcm").write_bytes(b"\0\5\x16\7")
    study = read_study(folder)
    assert len(study) == 4
    assert "left out 3 x file that is no DICOM" in study.notes


@pytest.mark.parametrize("implicit", [True, False])
def test_files_without_preamble_and_meta_group_are_read(series, implicit):
    folder = series(2)
    expected = read_study(folder).volume.hu
    for file in folder.iterdir():
        bare = pydicom.Dataset(pydicom.dcmread(file))
        stream = io.BytesIO()
        pydicom.dcmwrite(stream, bare, implicit_vr=implicit, little_endian=True)
        file.write_bytes(stream.getvalue())
    np.testing.assert_array_equal(read_study(folder).volume.hu, expected)


def test_an_anonymised_series_without_identifiers_is_read(series):
    def strip(dataset, index):
        for keyword in ("PatientID", "StudyDate", "SeriesInstanceUID", "SeriesDescription"):
            delattr(dataset, keyword)

    study = read_study(series(2, strip))
    assert (len(study), study.uid, study.name) == (2, "", "CT series")


def test_headers_keep_no_pixels(series):
    study = read_study(series(2))
    assert all("PixelData" not in header and header.buffer is None for header in study.headers)


def test_selected_slices_keep_their_header_and_pixels(series):
    study = read_study(series())
    some = study.select([1, 3])
    np.testing.assert_array_equal(some.volume.hu, study.volume.hu[[1, 3]])
    assert [h.InstanceNumber for h in some.headers] == [study.headers[i].InstanceNumber for i in (1, 3)]


def test_an_unreadable_element_is_left_out_and_named(series):
    folder = series(2)
    for file in folder.iterdir():
        # ExposureTime as a double of four bytes.
        file.write_bytes(file.read_bytes().replace(b"\x18\0\x50\x11IS", b"\x18\0\x50\x11FD"))
    assert "left out 2 x unreadable ExposureTime (0018,1150)" in read_study(folder).notes
