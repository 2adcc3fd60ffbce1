"""The uncertainty map: a Parametric Map, and a CT series for viewers that know none."""

from __future__ import annotations

import highdicom
import numpy as np
import pydicom
import pytest
from enhanced import enhanced_ct

from resample_ct.errors import StudyError
from resample_ct.io.parametric_map import write_parametric_map, write_spread_series
from resample_ct.io.read import read_study


@pytest.fixture
def study(series):
    return read_study(series(3))


@pytest.fixture
def spread(study, rng):
    return rng.gamma(2.0, 5.0, study.volume.hu.shape).astype(np.float32)


@pytest.fixture
def reconstruction(study, rewrite):
    return rewrite(study)


@pytest.fixture
def path(study, reconstruction, spread, derivation, tmp_path):
    """The map on disk."""
    target = tmp_path / "map.dcm"
    write_parametric_map(study, reconstruction, study.grid, spread, target, derivation)
    return target


def values_of(path, study):
    """What highdicom reads at the study's voxels: its axes may be any turn of ours."""
    like = highdicom.Volume(
        np.zeros((len(study), study.grid.rows, study.grid.columns)),
        affine=study.grid.affine[:, [2, 1, 0, 3]],
        coordinate_system="PATIENT",
        frame_of_reference_uid=study.headers[0].FrameOfReferenceUID,
    )
    volume = highdicom.imread(path).get_volume()
    return volume.to_patient_orientation("LPH").match_geometry(like).array


def test_every_value_and_place_returns_through_highdicom(path, study, spread):
    np.testing.assert_array_equal(values_of(path, study), spread)


def test_it_says_that_it_is_a_standard_deviation_in_hu_for_research(path):
    made = pydicom.dcmread(path)
    assert made.SOPClassUID.name == "Parametric Map Storage"
    assert made.ImageType == ["DERIVED", "PRIMARY", "VOLUME", "STD_DEVIATION"]
    assert made.ContentQualification == "RESEARCH"
    assert "research only" in made.ImageComments
    shared = made.SharedFunctionalGroupsSequence[0]
    mapping = shared.RealWorldValueMappingSequence[0]
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "[hnsf'U]"
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    quantity = mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0]
    assert (quantity.CodeValue, quantity.CodingSchemeDesignator) == ("113061", "DCM")


def test_it_refers_to_the_reconstruction_and_to_the_source(path, study, reconstruction):
    made = pydicom.dcmread(path)
    named = {
        image.ReferencedSOPInstanceUID
        for series in made.ReferencedSeriesSequence
        for image in series.ReferencedInstanceSequence
    }
    derived = {pydicom.dcmread(file).SOPInstanceUID for file in reconstruction.iterdir()}
    assert named == derived | {header.SOPInstanceUID for header in study.headers}
    assert made.SeriesInstanceUID not in {s.SeriesInstanceUID for s in made.ReferencedSeriesSequence}


def test_it_belongs_to_the_source_s_patient_study_and_place(path, study):
    made, source = pydicom.dcmread(path), study.headers[0]
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID"):
        assert made[keyword].value == source[keyword].value, keyword


def test_the_scanner_and_this_software_contributed(path):
    items = pydicom.dcmread(path).ContributingEquipmentSequence
    named = [(i.Manufacturer, i.PurposeOfReferenceCodeSequence[0].CodeValue) for i in items]
    assert named[:2] == [("SIEMENS", "109101"), ("ReSample-CT", "109102")]
    assert all(purpose == "109102" for _, purpose in named[1:])


@pytest.mark.parametrize("name", ["Müller^Jürgen", "x" * 60, "one part"])
def test_an_odd_patient_is_passed_on(series, rewrite, derivation, tmp_path, name):
    def edit(dataset, index):
        dataset.PatientName = name
        for keyword in ("StudyDate", "StudyTime", "PatientBirthDate", "PatientSex", "StudyID"):
            delattr(dataset, keyword) if keyword in dataset else None
        del dataset.PatientID

    study = read_study(series(2, edit))
    zeros = np.zeros_like(study.volume.hu)
    folder = rewrite(study)
    write_parametric_map(study, folder, study.grid, zeros, tmp_path / "map.dcm", derivation)
    assert pydicom.dcmread(tmp_path / "map.dcm").PatientName == name


def test_a_map_of_a_nifti_volume_refers_to_the_reconstruction_alone(nifti, rewrite, derivation, tmp_path):
    study = read_study(nifti(np.full((6, 5, 4), -1000, np.int16)))
    folder = rewrite(study)
    zeros = np.zeros_like(study.volume.hu)
    write_parametric_map(study, folder, study.grid, zeros, tmp_path / "map.dcm", derivation)
    (series,) = pydicom.dcmread(tmp_path / "map.dcm").ReferencedSeriesSequence
    assert series.SeriesInstanceUID == read_study(folder).uid


def test_the_series_for_other_viewers_holds_the_same_to_a_sixteenth(study, spread, derivation, tmp_path):
    write_spread_series(study, study.grid, spread, tmp_path / "spread", derivation)
    again = read_study(tmp_path / "spread")
    assert np.abs(again.volume.hu - spread).max() <= 1 / 32
    np.testing.assert_array_equal(again.grid.positions, study.grid.positions)
    header = again.headers[0]
    assert header.SeriesDescription.startswith("ReSample spread 25 views (research) ")
    assert header.DerivationDescription.startswith("Standard deviation of HU")
    assert (header.WindowCenter, header.WindowWidth) == (50, 100)


@pytest.mark.parametrize("value", [np.nan, -1.0, 5000.0])
@pytest.mark.parametrize("form", ["map", "series"])
def test_what_is_no_spread_leaves_nothing(study, reconstruction, derivation, tmp_path, value, form):
    spread = np.zeros_like(study.volume.hu)
    spread[1, 2, 3] = value
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(StudyError, match="uncertainty map: found values from"):
        if form == "map":
            write_parametric_map(study, reconstruction, study.grid, spread, out / "m.dcm", derivation)
        else:
            write_spread_series(study, study.grid, spread, out / "s", derivation)
    assert list(out.iterdir()) == []


def test_an_existing_map_is_left_alone(path, study, reconstruction, spread, derivation):
    before = path.read_bytes()
    with pytest.raises(StudyError, match=r"map\.dcm: exists, expected a new file"):
        write_parametric_map(study, reconstruction, study.grid, spread, path, derivation)
    assert path.read_bytes() == before


def test_without_a_reconstruction_there_is_no_map(study, spread, derivation, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match="no DICOM files, expected the reconstructed series"):
        write_parametric_map(
            study, tmp_path / "empty", study.grid, spread, tmp_path / "m.dcm", derivation
        )
    assert not (tmp_path / "m.dcm").exists()


def test_a_map_of_an_enhanced_ct_refers_to_the_one_object(
    sample_series, rewrite, derivation, tmp_path, rng
):
    enhanced_ct(sorted(sample_series.glob("*.dcm"))[:3]).save_as(tmp_path / "e.dcm")
    study = read_study(tmp_path / "e.dcm")
    folder = rewrite(study)
    spread = rng.gamma(2.0, 5.0, study.volume.hu.shape)
    write_parametric_map(study, folder, study.grid, spread, tmp_path / "map.dcm", derivation)
    np.testing.assert_array_equal(values_of(tmp_path / "map.dcm", study), spread.astype(np.float32))
    made = pydicom.dcmread(tmp_path / "map.dcm")
    named = {
        image.ReferencedSOPInstanceUID
        for series in made.ReferencedSeriesSequence
        for image in series.ReferencedInstanceSequence
    }
    derived = pydicom.dcmread(folder / "0001.dcm").SOPInstanceUID
    assert named == {derived, study.headers[0].SOPInstanceUID}
