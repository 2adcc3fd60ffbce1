"""The report as dciodvfy and DCMTK see it, from a real run."""

from __future__ import annotations

import judges
import pytest

from resample_ct.run import pipeline
from resample_ct.run.job import Job


def named(dataset, index):
    dataset.PatientID, dataset.PatientIdentityRemoved = "$1 山田", "NO"
    dataset.SpecificCharacterSet = "ISO_IR 192"


def anonymised(dataset, index):
    for keyword in ("StudyDate", "StudyTime", "PatientSex", "StudyDescription"):
        delattr(dataset, keyword)
    dataset.PatientID = dataset.PatientName = ""


@pytest.mark.parametrize("edit", [named, anonymised])
def test_the_report_has_no_fault_that_the_source_does_not_have(series, tmp_path, edit):
    source = series(2, edit)
    pipeline.reconstruct(Job(source, tmp_path / "out", methods=("fbp",)), resume=False)
    report = tmp_path / "out" / "dicom" / "report.dcm"
    assert judges.new_findings(source / "00.dcm", report) == set()
    assert "=EncapsulatedPDFStorage" in judges.dcmtk_dump(report)
    page = tmp_path / "page.pdf"
    assert judges.run("dcm2pdf", report, page).returncode == 0
    content = page.read_bytes()
    assert content.startswith(b"%PDF-") and content.count(b"/Type /Page ") == 1
