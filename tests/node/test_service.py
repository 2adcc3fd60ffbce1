"""A node from start to stop: late instances, failures, restarts."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pydicom
import pytest
from peers import COMMAND, QUICK, associate, send, wait_for

from resample_ct.io.read import read_study
from resample_ct.node.folder import StateFolder
from resample_ct.node.queue import Queue


@pytest.mark.slow
def test_a_series_comes_back_reconstructed_and_a_late_slice_brings_the_larger_one(node, pacs, slices):
    process = node(*QUICK)
    assert send(process.port, slices[:2]) == [0, 0]
    wait_for(lambda: process.states() == ["sent"], 180)
    source = [pydicom.dcmread(path) for path in slices]
    first = pacs.series()
    assert [len(uids) for uids in first.values()] == [2]
    for dataset in pacs.received:
        assert dataset.StudyInstanceUID == source[0].StudyInstanceUID
        assert dataset.PatientID == source[0].PatientID
        assert dataset.ImageType[0] == "DERIVED" and "research" in dataset.SeriesDescription
    assert send(process.port, slices) == [0, 0, 0]
    wait_for(lambda: process.states() == ["sent", "sent"], 180)
    later = {uid: found for uid, found in pacs.series().items() if uid not in first}
    assert [len(uids) for uids in later.values()] == [3]
    assert process.stop() == 0
    # The result that was sent is the one in the folder, and an image of the patient.
    out = process.folder / "jobs" / "2" / "out" / "dicom" / "fbp"
    derived = read_study(out).volume.hu
    truth = read_study(slices).volume.hu.reshape(3, 256, 2, 256, 2).mean((2, 4))
    assert np.corrcoef(derived.ravel(), truth.ravel())[0, 1] > 0.9


@pytest.mark.slow
def test_a_failure_is_told_stops_nothing_and_is_tried_again(node, pacs, slices, series):
    process = node(*QUICK)
    bad = sorted(series(2, edit=colour, name="bad").glob("*.dcm"))
    send(process.port, bad)
    wait_for(lambda: process.states() == ["failed"], 180)
    (row,) = process.status()
    assert "PhotometricInterpretation (0028,0004)" in row[-1] and row[3] == "2"
    send(process.port, slices)
    wait_for(lambda: process.states() == ["failed", "sent"], 180)
    send(process.port, bad[:1])
    wait_for(lambda: process.states() == ["failed", "sent", "failed"], 180)
    assert len(pacs.series()) == 1


def colour(dataset, index):
    dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.SeriesInstanceUID = f"{dataset.SeriesInstanceUID[:60]}.7"
    dataset.SOPInstanceUID = f"{dataset.SOPInstanceUID[:58]}.7.{index}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID


def test_sigterm_ends_it_in_order_with_associations_open(node, small):
    process = node("--min-free-mb", 0, "--timeout", 5)
    association = associate(process.port)
    assert association.send_c_store(small(1)[0]).Status == 0
    assert process.stop() == 0
    assert process.log.splitlines()[-1].endswith("INFO stopped")
    assert process.states() == ["received"]
    wait_for(lambda: not association.is_established)


@pytest.mark.slow
def test_sigterm_in_the_middle_of_a_reconstruction_loses_nothing(node, pacs, slices):
    process = node(*QUICK)
    send(process.port, slices)
    wait_for(lambda: "reconstructing 3 instances" in process.log)
    assert process.stop() == 0
    assert process.states() == ["running"]
    again = node(*QUICK)
    wait_for(lambda: again.states() == ["sent"], 180)
    assert [len(uids) for uids in pacs.series().values()] == [3]


def test_two_nodes_never_share_a_folder(node, tmp_path):
    assert node().port
    arguments = ("node", "--aet", "B", "--forward", "P@127.0.0.1:1", "--port", "0")
    result = subprocess.run(
        [sys.executable, *COMMAND, *arguments, "--folder", str(tmp_path / "state")],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1 and "in use by another node" in result.stderr


def test_files_that_no_sender_was_told_of_are_swept_and_others_stay(node, tmp_path):
    folder = StateFolder(tmp_path / "state")
    folder.make()
    for path in (folder.instance("1.2", "1.2.1"), folder.instance("1.3", "1.3.1"), folder.new_file()):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    queue = Queue(folder.queue)
    queue.add("1.2.1", "1.2", folder.instance("1.2", "1.2.1"), "digest")
    queue.close()
    process = node("--quiet-seconds", 9999)
    assert process.port
    assert list(folder.incoming.rglob("*.dcm")) == [folder.instance("1.2", "1.2.1")]
    assert list(folder.arriving.iterdir()) == []
    assert not (folder.incoming / "1.3").exists()


def test_files_of_ended_jobs_go_when_their_time_is_over(node, tmp_path):
    folder = StateFolder(tmp_path / "state")
    folder.make()
    path = folder.instance("1.2", "1.2.1")
    path.parent.mkdir()
    path.write_bytes(b"x")
    queue = Queue(folder.queue)
    queue.add("1.2.1", "1.2", path, "digest")
    queue.queue_quiet(0)
    job = queue.start_next()
    queue.reconstructed(job.number, [])
    queue.sent(job.number)
    queue.close()
    folder.job(1).mkdir()
    process = node("--keep-days", 0)
    wait_for(lambda: "deleted 1 instances" in process.log)
    wait_for(lambda: not path.exists() and not folder.job(1).exists())
    assert process.states() == ["sent"]
