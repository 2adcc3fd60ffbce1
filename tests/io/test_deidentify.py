"""The basic profile over headers: what goes, what is replaced, what stays, and references that hold."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from enhanced import enhanced_ct
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset

from resample_ct.errors import StudyError
from resample_ct.io.deidentify import UidMap, deidentified_header, deidentify
from resample_ct.io.read import read_study

UIDS = UidMap(b"secret")
TABLE = dicom_anonymization_database_selector("dicomfields_2026c")
NAME = "SECRET^JANE"
_EXAMPLES = {
    "DA": "19990131",
    "TM": "235959",
    "DT": "19990131235959",
    "AS": "053Y",
    "UI": "1.2.840.99.7",
    "DS": "1.5",
    "IS": "7",
    "UR": "http://secret",
    **dict.fromkeys(("OB", "OW", "UN"), b"SECRET"),
    **dict.fromkeys(("FD", "FL"), 1.5),
    **dict.fromkeys(("US", "UL", "SS", "SL"), 7),
}


def filled(tag):
    """A dataset with the one attribute, holding something."""
    dataset = Dataset()
    vr = dictionary_VR(tag).split(" ")[0]
    if vr == "SQ":
        item = Dataset()
        item.PatientName, item.ReferencedSOPInstanceUID = NAME, "1.2.840.99.8"
        dataset.add_new(tag, vr, [item])
    else:
        dataset.add_new(tag, vr, _EXAMPLES.get(vr, "SECRET"))
    return dataset


def tags(*categories):
    """The table's attributes that pydicom knows; the others are removed in any case."""
    found = [tag for category in categories for tag in TABLE[category] if len(tag) == 2 and tag[0] != 2]
    return [pytest.param(tag, id=keyword_for_tag(tag)) for tag in found if dictionary_has_tag(tag)]


def leaves(dataset):
    return [element.value for element in dataset.iterall() if element.VR != "SQ"]


@pytest.mark.parametrize("tag", tags("X_TAGS", "X_Z_TAGS", "X_D_TAGS", "X_Z_D_TAGS"))
def test_what_the_profile_removes_is_gone(tag):
    if keyword_for_tag(tag) in ("DeidentificationMethod", "DeidentificationMethodCodeSequence"):
        pytest.skip("said anew")
    assert tag not in deidentified_header(filled(tag), UIDS)


@pytest.mark.parametrize("tag", tags("Z_TAGS", "Z_D_TAGS"))
def test_what_the_profile_empties_is_empty(tag):
    element = deidentified_header(filled(tag), UIDS)[tag]
    assert not element.value


@pytest.mark.parametrize("tag", tags("D_TAGS"))
def test_what_the_profile_replaces_is_replaced(tag):
    before, after = filled(tag), deidentified_header(filled(tag), UIDS)
    assert after[tag].VR == before[tag].VR
    assert not {str(v) for v in leaves(before)} & {str(v) for v in leaves(after)}


@pytest.mark.parametrize("tag", tags("U_TAGS"))
def test_uids_are_new_and_always_the_same(tag):
    old = filled(tag)[tag].value
    new = deidentified_header(filled(tag), UIDS)[tag].value
    assert new == UIDS(old) != old


@given(st.text("0123456789.", min_size=1, max_size=64), st.binary(min_size=1))
def test_a_new_uid_is_a_uid_and_follows_from_the_secret_alone(old, secret):
    new = UidMap(secret)(old)
    assert pydicom.uid.UID(new).is_valid
    assert new == UidMap(secret)(old)
    assert new != UidMap(secret + b"!")(old)


def nested(dataset, index):
    inner = Dataset()
    inner.InstitutionName, inner.PatientName = "SECRET hospital", NAME
    inner.ReferencedSOPInstanceUID, inner.CodeMeaning = "1.2.840.99.9", "kept"
    middle = Dataset()
    middle.PurposeOfReferenceCodeSequence = [inner]
    dataset.ProcedureCodeSequence = [middle]
    dataset.private_block(0x11, "SECRET", create=True).add_new(1, "LO", "SECRET")
    dataset.add_new(0x00081FFF, "LO", "SECRET of an attribute that no dictionary has")


def test_it_reaches_what_lies_in_sequences(series):
    header = deidentified_header(read_study(series(1, nested)).headers[0], UIDS)
    inner = header.ProcedureCodeSequence[0].PurposeOfReferenceCodeSequence[0]
    assert inner.CodeMeaning == "kept"
    assert inner.ReferencedSOPInstanceUID == UIDS("1.2.840.99.9")
    assert "InstitutionName" not in inner
    assert not any("SECRET" in str(value) for value in leaves(header))


def test_it_says_what_was_done(series):
    header = deidentify(read_study(series(1)), b"secret").headers[0]
    assert header.PatientIdentityRemoved == "YES"
    assert "PS3.15" in header.DeidentificationMethod
    assert [c.CodeValue for c in header.DeidentificationMethodCodeSequence] == ["113100"]
    assert header.LongitudinalTemporalInformationModified == "REMOVED"


def test_slices_stay_in_one_study_series_and_frame(series):
    source = read_study(series(3))
    made = deidentify(source, b"secret")
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        (old,), (new,) = ({h[keyword].value for h in s.headers} for s in (source, made))
        assert new == UIDS(old) != old
    assert len({h.SOPInstanceUID for h in made.headers}) == 3


def test_voxels_geometry_and_source_stay_as_they_were(series):
    source = read_study(series(2))
    before = [header.to_json() for header in source.headers]
    made = deidentify(source, b"secret")
    np.testing.assert_array_equal(made.volume.hu, source.volume.hu)
    assert made.grid is source.grid
    assert [header.to_json() for header in source.headers] == before
    for old, new in zip(source.headers, made.headers, strict=True):
        for keyword in (
            "ImagePositionPatient",
            "PixelSpacing",
            "RescaleIntercept",
            "KVP",
            "Manufacturer",
        ):
            assert new[keyword].value == old[keyword].value


def test_frames_of_enhanced_ct_are_cleaned_too(sample_series, tmp_path):
    enhanced_ct(sorted(sample_series.glob("*.dcm"))[:2]).save_as(tmp_path / "e.dcm")
    for header in deidentify(read_study(tmp_path / "e.dcm"), b"secret").headers:
        shared = header.SharedFunctionalGroupsSequence[0]
        assert shared.IrradiationEventIdentificationSequence[0].IrradiationEventUID == UIDS("1.2.3")
        content = header.PerFrameFunctionalGroupsSequence[0].FrameContentSequence[0]
        assert "2007" not in content.FrameAcquisitionDateTime


def test_text_burned_into_the_pixels_is_refused(series):
    study = read_study(series(1, lambda dataset, index: setattr(dataset, "BurnedInAnnotation", "YES")))
    with pytest.raises(StudyError, match=r"BurnedInAnnotation \(0028,0301\): found YES, expected pixels"):
        deidentify(study, b"secret")
