"""Enhanced multi-frame CT: read as the slices that it holds, written as one object again."""

from __future__ import annotations

import zipfile

import numpy as np
import pydicom
import pytest
from enhanced import enhanced_ct
from pydicom.uid import EnhancedCTImageStorage, JPEGLSLossless, RLELossless

from resample_ct.io.dicom_write import write_series
from resample_ct.io.read import read_study
from resample_ct.values.volume import reduce_in_plane


@pytest.fixture
def slices(sample_series):
    return sorted(sample_series.glob("*.dcm"))[:4]


@pytest.fixture
def enhanced(slices, tmp_path):
    """Writes an Enhanced CT of four real slices, changed by `edit`, into a folder of its own."""

    def make(edit=lambda dataset: None):
        folder = tmp_path / "enhanced"
        folder.mkdir()
        made = enhanced_ct(slices)
        edit(made)
        made.save_as(folder / "e.dcm")
        return folder

    return make


def assert_same(study, other):
    np.testing.assert_array_equal(study.volume.hu, other.volume.hu)
    np.testing.assert_array_equal(study.grid.positions, other.grid.positions)
    assert study.grid.spacing_mm == other.grid.spacing_mm


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGLSLossless])
def test_frames_are_the_slices_that_they_were_made_of(enhanced, slices, syntax):
    folder = enhanced(lambda dataset: dataset.compress(syntax) if syntax else None)
    assert_same(read_study(folder), read_study(slices))


def test_frames_in_a_zip_are_the_same(enhanced, slices, tmp_path):
    folder = enhanced()
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        archive.write(folder / "e.dcm", "e.dcm")
    assert_same(read_study(tmp_path / "e.zip"), read_study(slices))


def test_each_frame_has_its_own_rescale_and_place(enhanced, slices):
    def edit(dataset):
        for place, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            groups.PixelValueTransformationSequence[0].RescaleIntercept = -1000 - place

    study, source = read_study(enhanced(edit)), read_study(slices)
    for index, header in enumerate(study.headers):
        shift = 24 - (header.InstanceNumber - 1)
        np.testing.assert_array_equal(study.volume.hu[index], source.volume.hu[index] + shift)
    assert sorted(h.InstanceNumber for h in study.headers) == [1, 2, 3, 4]


def localizer(dataset):
    first = dataset.PerFrameFunctionalGroupsSequence[0]
    (frame_type,) = dataset.SharedFunctionalGroupsSequence[0].CTImageFrameTypeSequence
    del dataset.SharedFunctionalGroupsSequence[0].CTImageFrameTypeSequence
    for groups in dataset.PerFrameFunctionalGroupsSequence:
        groups.CTImageFrameTypeSequence = [pydicom.Dataset(frame_type)]
    first.CTImageFrameTypeSequence = [pydicom.Dataset()]
    first.CTImageFrameTypeSequence[0].FrameType = ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]


def test_a_localizer_frame_is_left_out_and_named(enhanced):
    study = read_study(enhanced(localizer))
    assert len(study) == 3
    assert "left out 1 x localizer frame" in study.notes


def test_a_damaged_object_does_not_stop_another_series_from_being_chosen(enhanced, slices):
    folder = enhanced(lambda dataset: dataset.PerFrameFunctionalGroupsSequence.pop())
    other = pydicom.dcmread(slices[0])
    other.SeriesInstanceUID = "1.2.3"
    other.save_as(folder / "other.dcm")
    assert len(read_study(folder, "1.2.3")) == 1


def lost(dataset):
    dataset.PerFrameFunctionalGroupsSequence.pop()


def unplaced(dataset):
    del dataset.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence


def doubled(dataset):
    first, second = dataset.PerFrameFunctionalGroupsSequence[:2]
    second.PlanePositionSequence = first.PlanePositionSequence


def cut(dataset):
    dataset.PixelData = dataset.PixelData[: -(512 * 512)]


REFUSED = {
    "a frame's groups are lost": (lost, "PerFrameFunctionalGroupsSequence (5200,9230): found 3 items"),
    "a frame has no place": (unplaced, "e.dcm, frame 3: ImagePositionPatient (0020,0032): found nothing"),
    "two frames at one place": (doubled, "frame 2: ImagePositionPatient (0020,0032): found the position"),
    "pixels cut off": (cut, "e.dcm, frame 4: PixelData (7FE0,0010): cannot be decoded"),
}


@pytest.mark.filterwarnings("ignore:The number of bytes of pixel data")
@pytest.mark.parametrize(("edit", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_fit_is_refused_by_file_and_frame(enhanced, refusal, edit, told):
    assert told in refusal(enhanced(edit))


@pytest.fixture
def derived(enhanced, tmp_path, derivation):
    """Source study and derived object, on a grid of 256 x 256."""

    def make(edit=lambda dataset: None):
        study = read_study(enhanced(edit))
        reduced = reduce_in_plane(study.volume, 256)
        write_series(study, reduced.hu, reduced.grid, tmp_path / "derived", derivation)
        (path,) = (tmp_path / "derived").iterdir()
        return study, reduced, path

    return make


def test_the_result_is_one_enhanced_ct_with_every_value_and_place(derived):
    _, reduced, path = derived()
    assert pydicom.dcmread(path).SOPClassUID == EnhancedCTImageStorage
    again = read_study(path)
    np.testing.assert_array_equal(again.volume.hu, np.rint(reduced.hu))
    np.testing.assert_allclose(again.grid.positions, reduced.grid.positions, atol=1e-9)
    assert again.grid.spacing_mm == reduced.grid.spacing_mm


def test_it_says_that_it_is_derived_and_for_research(derived, derivation):
    made = pydicom.dcmread(derived()[2])
    assert made.ContentQualification == "RESEARCH"
    assert made.ImageType[0] == "DERIVED"
    assert "research only" in made.ImageComments
    for groups in (made.SharedFunctionalGroupsSequence[0],):
        assert groups.CTImageFrameTypeSequence[0].FrameType[0] == "DERIVED"
    (image,) = made.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence
    assert image.DerivationDescription == derivation.description
    assert image.DerivationCodeSequence[0].CodeValue == "113963"


def test_each_frame_refers_to_the_source_s_frame_at_its_place(derived):
    study, _, path = derived()
    made = pydicom.dcmread(path)
    for groups, source in zip(made.PerFrameFunctionalGroupsSequence, study.headers, strict=True):
        (image,) = groups.DerivationImageSequence[0].SourceImageSequence
        assert image.ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert image.ReferencedFrameNumber == source.InstanceNumber
    (series,) = made.ReferencedSeriesSequence
    (instance,) = series.ReferencedInstanceSequence
    assert instance.ReferencedSOPInstanceUID == study.headers[0].SOPInstanceUID


def test_patient_study_and_acquisition_are_the_source_s(derived):
    study, _, path = derived()
    made, source = pydicom.dcmread(path), study.headers[0]
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID", "StudyDate"):
        assert made[keyword].value == source[keyword].value, keyword
    assert made.SeriesInstanceUID != source.SeriesInstanceUID
    shared = made.SharedFunctionalGroupsSequence[0]
    assert shared.FrameAnatomySequence == source.SharedFunctionalGroupsSequence[0].FrameAnatomySequence
    assert shared.CTXRayDetailsSequence[0].KVP == 120


def test_statements_about_the_source_s_frames_are_gone(derived):
    def edit(dataset):
        private = dataset.SharedFunctionalGroupsSequence[0].private_block(0x11, "VENDOR", create=True)
        private.add_new(1, "LO", "secret")
        mapping = pydicom.Dataset()
        mapping.RealWorldValueSlope = 2.0
        dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence = [mapping]

    made = pydicom.dcmread(derived(edit)[2])
    assert not any(element.tag.is_private for element in made.iterall())
    assert not any(element.keyword == "RealWorldValueSlope" for element in made.iterall())


def test_no_group_is_both_shared_and_a_frame_s_own(derived):
    made = pydicom.dcmread(derived()[2])
    shared = {element.tag for element in made.SharedFunctionalGroupsSequence[0]}
    for groups in made.PerFrameFunctionalGroupsSequence:
        assert shared.isdisjoint({element.tag for element in groups})


def test_the_source_is_left_as_it_was(derived, enhanced):
    study, _, _ = derived()
    header = study.headers[0]
    assert "SharedFunctionalGroupsSequence" in header
    assert "FrameAnatomySequence" in header.SharedFunctionalGroupsSequence[0]
    assert "DerivationImageSequence" not in header.PerFrameFunctionalGroupsSequence[0]


def test_one_slice_beyond_the_source_s_bits_is_stored_with_the_others(enhanced, tmp_path, derivation):
    study = read_study(enhanced())
    hu = study.volume.hu.copy()
    hu[1, :5, :5] = -5000
    write_series(study, hu, study.grid, tmp_path / "derived", derivation)
    again = read_study(tmp_path / "derived")
    assert (again.pixels(1).hu[:5, :5] == -5000).all()
    np.testing.assert_array_equal(again.pixels(0).hu, hu[0])


def test_headers_kept_as_json_are_enough(enhanced, tmp_path, derivation):
    whole = read_study(enhanced())
    headers = tuple(pydicom.Dataset.from_json(header.to_json()) for header in whole.headers)
    kept = type(whole)(whole.name, whole.grid, headers, None, whole.order)
    write_series(kept, whole.volume.hu, whole.grid, tmp_path / "out", derivation)
    assert_same(read_study(tmp_path / "out"), whole)
