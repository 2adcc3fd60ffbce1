"""The report as a DICOM object: whose it is, what it tells of, and the page itself."""

from __future__ import annotations

import pydicom
import pytest

from resample_ct.errors import StudyError
from resample_ct.io.read import read_study
from resample_ct.io.report_object import write_report

PDF = b"%PDF-1.4 of odd length."


@pytest.fixture
def report(series, rewrite, derivation, tmp_path):
    """Writes the report of a series changed by `edit`; returns it, its source and the new series."""

    def make(edit=lambda dataset, index: None):
        study = read_study(series(2, edit))
        folder = rewrite(study)
        write_report(study, [folder], PDF, tmp_path / "report.dcm", derivation)
        return pydicom.dcmread(tmp_path / "report.dcm"), study, read_study(folder)

    return make


def test_the_page_returns_whole(report):
    made, _, _ = report()
    assert made.SOPClassUID.name == "Encapsulated PDF Storage"
    assert made.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert made.EncapsulatedDocument[: made.EncapsulatedDocumentLength] == PDF


def test_it_belongs_to_the_source_s_patient_and_study(report):
    made, study, _ = report(lambda dataset, index: setattr(dataset, "AccessionNumber", "A7"))
    source = study.headers[0]
    for keyword in ("PatientID", "PatientName", "PatientSex", "StudyInstanceUID", "StudyDate"):
        assert made[keyword].value == source[keyword].value, keyword
    assert made.AccessionNumber == "A7"
    assert made.Modality == "DOC"
    assert made.SeriesInstanceUID != source.SeriesInstanceUID


def test_it_refers_to_every_image_that_it_tells_of(report):
    made, study, derived = report()
    named = [item.ReferencedSOPInstanceUID for item in made.SourceInstanceSequence]
    assert named == [h.SOPInstanceUID for h in (*study.headers, *derived.headers)]


def test_it_says_that_it_is_for_research_only(report):
    made, _, _ = report()
    assert "research only" in made.DocumentTitle
    assert made.SeriesDescription == "ReSample report (research)"


@pytest.mark.parametrize(("removed", "burned"), [("YES", "NO"), ("NO", "YES"), (None, "YES")])
def test_a_page_that_names_the_patient_owns_up_to_it(report, removed, burned):
    made, _, _ = report(lambda dataset, index: setattr(dataset, "PatientIdentityRemoved", removed))
    assert made.BurnedInAnnotation == burned


def test_an_existing_report_is_left_alone(report, derivation, tmp_path):
    _, study, _ = report()
    before = (tmp_path / "report.dcm").read_bytes()
    with pytest.raises(StudyError, match=r"report\.dcm: exists, expected a new file"):
        write_report(study, [], b"other", tmp_path / "report.dcm", derivation)
    assert (tmp_path / "report.dcm").read_bytes() == before
