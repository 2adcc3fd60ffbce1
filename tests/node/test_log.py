"""The log names no patient unless asked to, and no peer can forge a line of it."""

from __future__ import annotations

import pydicom
import pytest
from peers import QUICK, associate, send, wait_for

IDENTITY = ("PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def one_slice_twice(slices):
    """A series that cannot be reconstructed, with a message that quotes a patient."""
    first, second = (pydicom.dcmread(path) for path in slices[:2])
    second.PatientID = "OTHER^PATIENT"
    return [first, second]


def test_patients_and_uids_stay_out_of_it(node, slices):
    process = node(*QUICK)
    datasets = one_slice_twice(slices)
    send(process.port, datasets)
    wait_for(lambda: "failed" in process.states(), 180)
    assert "OTHER^PATIENT" in process.status()[0][-1]
    for dataset in datasets:
        for keyword in (
            "PatientID",
            "PatientName",
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "SOPInstanceUID",
        ):
            assert str(dataset[keyword].value) not in process.log
    assert "job 1: not reconstructed" in process.log


def test_unless_asked_for(node, small):
    process = node("--log-identity", "--min-free-mb", 0)
    (dataset,) = small(1)
    send(process.port, [dataset])
    assert dataset.PatientID in process.log and dataset.SeriesInstanceUID in process.log


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_data_set_is_refused_without_quoting_it(node, small):
    process = node("--min-free-mb", 0)
    (dataset,) = small(1)
    dataset.PatientName = "Secret^Name"
    association = associate(process.port)
    original = association.dimse.send_msg

    def damage(request, context_id):
        content = request.DataSet.getvalue()
        # What follows the name, UIDs among it, is lost.
        request.DataSet.truncate(content.index(b"Secret^Name") + len(b"Secret^Name"))
        original(request, context_id)

    association.dimse.send_msg = damage
    assert association.send_c_store(dataset).Status == 0xC000
    association.release()
    assert "Secret" not in process.log and "C000" in process.log


def test_a_callers_title_cannot_forge_a_line():
    from resample_ct.node.log import printable

    assert printable("EVIL\n2026-01-01 INFO all is well\x1b[2J") == "EVIL?2026-01-01 INFO all is well?[2J"
