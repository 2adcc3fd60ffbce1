"""What a node takes, what it refuses, and that a success means "on disk"."""

from __future__ import annotations

import threading

import numpy as np
import pydicom
import pytest
from peers import QUICK, associate, send, wait_for
from pydicom import uid
from pynetdicom.sop_class import MRImageStorage, Verification

from resample_ct.io.derivation import MANUFACTURER, MODEL, Derivation
from resample_ct.io.dicom_write import write_series
from resample_ct.io.read import read_study
from resample_ct.node.queue import Queue
from resample_ct.node.receiver import transfer_syntaxes


def kept(node, series_uid):
    """The files of a series in the node's folder."""
    return sorted((node.folder / "incoming" / str(series_uid)).glob("*.dcm"))


def answer(port, dataset):
    association = associate(port)
    found = association.send_c_store(dataset)
    association.release()
    return found


def test_echo_is_answered(waiting_node):
    association = associate(waiting_node.port, [Verification])
    assert association.send_c_echo().Status == 0x0000
    association.release()


def test_success_means_the_same_bytes_are_on_disk_and_in_the_queue(waiting_node, small):
    datasets = small(3)
    assert send(waiting_node.port, datasets) == [0, 0, 0]
    files = kept(waiting_node, datasets[0].SeriesInstanceUID)
    assert {pydicom.dcmread(f) == d for f in files for d in datasets if f.stem == d.SOPInstanceUID} == {
        True
    }
    queue = Queue(waiting_node.folder / "queue.sqlite", read_only=True)
    assert queue.count(datasets[0].SeriesInstanceUID) == len(files) == 3
    queue.close()


@pytest.mark.parametrize("kind", [uid.CTImageStorage, uid.EnhancedCTImageStorage], ids=lambda u: u.name)
def test_every_syntax_that_the_reader_decodes_is_accepted(waiting_node, kind):
    contexts = [(kind, syntax) for syntax in transfer_syntaxes()]
    association = associate(waiting_node.port, contexts)
    accepted = {context.transfer_syntax[0] for context in association.accepted_contexts}
    association.release()
    assert accepted == set(transfer_syntaxes())
    assert {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
    } <= accepted


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.RLELossless], ids=lambda u: u.name)
def test_compressed_pixels_arrive_as_they_were_sent(waiting_node, slices, syntax):
    dataset = pydicom.dcmread(slices[0])
    pixels = dataset.pixel_array.copy()
    dataset.compress(syntax)
    assert send(waiting_node.port, [dataset], contexts=[(uid.CTImageStorage, syntax)]) == [0]
    files = kept(waiting_node, dataset.SeriesInstanceUID)
    (file,) = [file for file in files if file.stem == dataset.SOPInstanceUID]
    assert pydicom.dcmread(file).file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(pydicom.dcmread(file).pixel_array, pixels)


def test_other_kinds_of_image_are_not_accepted(waiting_node):
    association = associate(waiting_node.port, [MRImageStorage, Verification])
    assert [c.abstract_syntax for c in association.accepted_contexts] == [Verification]
    association.release()


def test_the_same_instance_twice_is_kept_once(waiting_node, small):
    (dataset,) = small(1)
    assert send(waiting_node.port, [dataset, dataset]) == [0, 0]
    assert len(kept(waiting_node, dataset.SeriesInstanceUID)) == 1


def test_a_corrected_instance_takes_the_place_of_the_first(waiting_node, small):
    (dataset,) = small(1)
    assert send(waiting_node.port, [dataset]) == [0]
    dataset.PatientID = "CORRECTED"
    assert send(waiting_node.port, [dataset]) == [0]
    (file,) = kept(waiting_node, dataset.SeriesInstanceUID)
    assert pydicom.dcmread(file).PatientID == "CORRECTED"


def test_own_derived_series_are_refused(waiting_node, slices, tmp_path):
    study = read_study(slices)
    derivation = Derivation("FBP", 25, "FBP", "0")
    write_series(study, study.volume.hu, study.grid, tmp_path / "derived", derivation)
    dataset = pydicom.dcmread(tmp_path / "derived" / "0001.dcm")
    found = answer(waiting_node.port, dataset)
    assert found.Status == 0x0124 and "derived by resample-ct" in found.ErrorComment
    assert kept(waiting_node, dataset.SeriesInstanceUID) == []


def test_what_a_workstation_made_of_a_derived_series_is_refused_too(waiting_node, small):
    (dataset,) = small(1)
    part = pydicom.Dataset()
    part.Manufacturer, part.ManufacturerModelName = MANUFACTURER, MODEL
    dataset.ContributingEquipmentSequence = [part]
    assert answer(waiting_node.port, dataset).Status == 0x0124


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.pop("SeriesInstanceUID"),
        lambda d: setattr(d, "SeriesInstanceUID", "../../etc"),
        lambda d: setattr(d, "SeriesInstanceUID", ".."),
        lambda d: setattr(d, "SOPInstanceUID", "1/2"),
    ],
    ids=["no series", "a path", "parent folder", "a slash"],
)
def test_what_is_no_uid_never_becomes_a_path(waiting_node, small, edit):
    (dataset,) = small(1)
    edit(dataset)
    found = answer(waiting_node.port, dataset)
    assert found.get("Status", 0xC000) >= 0xA900
    assert not [p for p in waiting_node.folder.parent.rglob("*") if p.name in ("etc", "2.dcm")]


def test_a_data_set_that_is_not_what_the_request_names_is_refused(waiting_node, small, monkeypatch):
    (dataset,) = small(1)
    association = associate(waiting_node.port)
    original = association.dimse.send_msg

    def rename(request, context_id):
        request.AffectedSOPInstanceUID = "1.2.3"
        original(request, context_id)

    monkeypatch.setattr(association.dimse, "send_msg", rename)
    assert association.send_c_store(dataset).Status == 0xA900
    monkeypatch.undo()
    association.release()


def test_callers_and_called_titles_are_checked(node, small):
    process = node("--allow", "SCANNER", "--allow", "ROUTER")
    for calling, called, expected in [
        ("SCANNER", "RESAMPLE", True),
        ("ROUTER", "RESAMPLE", True),
        ("STRANGER", "RESAMPLE", False),
        ("SCANNER", "PACS", False),
    ]:
        association = associate(process.port, calling=calling, called=called)
        assert association.is_established == expected
        assert association.is_rejected != expected
        if expected:
            association.release()
    assert "association with STRANGER at 127.0.0.1 refused" in process.log


def test_a_series_longer_than_allowed_is_refused(node, small):
    process = node("--max-series", 2, "--min-free-mb", 0)
    assert send(process.port, small(3)) == [0, 0, 0xA700]


def test_a_full_disk_is_told_before_anything_is_kept(node, small):
    process = node("--min-free-mb", 10**9)
    (dataset,) = small(1)
    found = answer(process.port, dataset)
    assert found.Status == 0xA700 and found.ErrorComment == "disk full"
    assert kept(process, dataset.SeriesInstanceUID) == []
    assert list((process.folder / "incoming.tmp").iterdir()) == []


def test_a_write_that_fails_is_told_and_leaves_nothing(node, small, slices):
    """No file may grow beyond 128 KiB: writing a real slice fails, and a small one goes well."""
    limited = [
        "-c",
        "import resource, signal; from resample_ct.cli import main;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**17, 2**17)); main()",
    ]
    process = node("--min-free-mb", 0, program=limited)
    assert send(process.port, [slices[0], *small(1)]) == [0xA700, 0]
    assert list((process.folder / "incoming.tmp").iterdir()) == []
    assert "cannot write" in process.log


def test_an_instance_longer_than_allowed_is_cut_off(node, small):
    process = node("--max-instance-mb", 1, "--min-free-mb", 0)
    long, short = small(2)
    long.Rows, long.Columns, long.PixelData = 2048, 2048, bytes(2 * 2048**2)
    association = associate(process.port)
    assert association.send_c_store(long).get("Status") is None
    assert send(process.port, [short]) == [0]
    assert "longer than allowed" in process.log
    assert len(kept(process, short.SeriesInstanceUID)) == 1


@pytest.mark.slow
def test_500_instances_of_two_senders_while_a_reconstruction_runs(node, slices, small):
    process = node(*QUICK)
    send(process.port, slices)
    wait_for(lambda: process.states() == ["running"])
    halves = [small(250) for _ in range(2)]
    statuses = [[], []]

    def one(index):
        statuses[index] = send(process.port, halves[index], calling=f"SENDER{index}")

    senders = [threading.Thread(target=one, args=(index,)) for index in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert statuses == [[0] * 250] * 2
    for half in halves:
        files = kept(process, half[0].SeriesInstanceUID)
        assert {f.stem for f in files} == {str(d.SOPInstanceUID) for d in half}
    wait_for(lambda: process.states()[0] == "sent", 180)
