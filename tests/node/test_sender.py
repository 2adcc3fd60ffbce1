"""Results reach the destination once, through refusals, breaks and silence."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import pytest
from peers import Pacs
from pydicom.uid import (
    CTImageStorage,
    EncapsulatedPDFStorage,
    EnhancedCTImageStorage,
    ImplicitVRLittleEndian,
)

from resample_ct.node.sender import Sender
from resample_ct.node.settings import Peer


@pytest.fixture
def results(queue, small, tmp_path):
    """A job whose three results wait to be sent."""
    found = []
    for dataset in small(3):
        path = tmp_path / f"{dataset.SOPInstanceUID}.dcm"
        dataset.save_as(path)
        found.append((str(dataset.SOPInstanceUID), path))
    queue.add("1.2.3", "1.2", path, "digest")
    queue.queue_quiet(0)
    queue.reconstructed(queue.start_next().number, found)
    return {uid for uid, _ in found}


@pytest.fixture
def sender(settings, queue):
    return Sender(settings, queue, Event())


def job(queue):
    (row,) = queue.rows()
    return row.job


def again(queue):
    """Let the next attempt be due now."""
    queue._connection.execute("UPDATE job SET not_before = 0")


def test_every_instance_arrives_and_is_recorded(sender, queue, pacs, results):
    assert sender.step()
    assert set(pacs.objects) == results and len(pacs.received) == 3
    assert job(queue).state == "sent" and not sender.step()


def test_only_what_was_not_confirmed_is_sent(sender, queue, pacs, results):
    queue.confirmed(min(results))
    sender.step()
    assert set(pacs.objects) == results - {min(results)}


def test_a_destination_that_is_down_is_tried_again(sender, queue, pacs, results):
    pacs.stop()
    sender.step()
    assert job(queue).state == "sending" and "cannot be reached" in job(queue).error
    assert not sender.step()
    pacs.start()
    again(queue)
    sender.step()
    assert job(queue).state == "sent" and set(pacs.objects) == results


def test_a_destination_without_room_is_tried_again(sender, queue, pacs, results):
    pacs.status = 0xA700
    sender.step()
    assert job(queue).state == "sending" and "out of resources" in job(queue).error
    pacs.status = 0x0000
    again(queue)
    sender.step()
    assert job(queue).state == "sent"


def test_a_destination_that_does_not_answer_is_tried_again(sender, queue, pacs, results):
    pacs.hang.clear()
    sender.step()
    assert job(queue).state == "sending" and "no answer" in job(queue).error
    pacs.hang.set()
    again(queue)
    sender.step()
    assert job(queue).state == "sent" and set(pacs.objects) == results


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007, 0x0111])
def test_a_warning_or_a_duplicate_counts_as_sent(sender, queue, pacs, results, status):
    pacs.status = status
    sender.step()
    assert job(queue).state == "sent"


@pytest.mark.parametrize("status", [0xA900, 0xC001, 0x0124])
def test_a_refusal_ends_the_job_and_says_so(sender, queue, pacs, results, status):
    pacs.status = status
    sender.step()
    assert job(queue).state == "failed" and f"{status:04X}" in job(queue).error


def test_a_destination_that_takes_no_ct_ends_the_job(settings, queue, results):
    other = Pacs(contexts=(EnhancedCTImageStorage,))
    forward = Peer("PACS", "127.0.0.1", other.port)
    Sender(replace(settings, forward=forward), queue, Event()).step()
    other.stop()
    assert job(queue).state == "failed" and "accepts no CT Image Storage" in job(queue).error


@pytest.mark.parametrize("slices_were_sent_before_a_crash", [False, True])
def test_a_report_that_the_destination_does_not_take_is_left_out_and_named(
    settings, queue, pacs, small, tmp_path, slices_were_sent_before_a_crash
):
    slice_, report = small(2)
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    found = []
    for dataset in (report, slice_):
        path = tmp_path / f"{dataset.SOPInstanceUID}.dcm"
        dataset.save_as(path)
        found.append((str(dataset.SOPInstanceUID), path))
    queue.add("1.2.3", "1.2", path, "digest")
    queue.queue_quiet(0)
    queue.reconstructed(queue.start_next().number, found)
    if slices_were_sent_before_a_crash:
        queue.confirmed(str(slice_.SOPInstanceUID))
    Sender(settings, queue, Event()).step()
    sent = set() if slices_were_sent_before_a_crash else {str(slice_.SOPInstanceUID)}
    assert set(pacs.objects) == sent
    assert job(queue).state == "sent" and job(queue).error == "PACS accepts no Encapsulated PDF Storage"


def test_slices_are_never_left_out(settings, queue, results, small, tmp_path):
    only_reports = Pacs(contexts=(EncapsulatedPDFStorage,))
    (report,) = small(1)
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    report.save_as(tmp_path / "report.dcm")
    queue._connection.execute(
        "INSERT INTO result VALUES (?, 1, ?, NULL)", (report.SOPInstanceUID, str(tmp_path / "report.dcm"))
    )
    forward = Peer("PACS", "127.0.0.1", only_reports.port)
    Sender(replace(settings, forward=forward), queue, Event()).step()
    only_reports.stop()
    assert job(queue).state == "failed" and "accepts no CT Image Storage" in job(queue).error


def test_a_destination_of_implicit_vr_alone_gets_converted_instances(settings, queue, results, pacs):
    only = Pacs(contexts=[(CTImageStorage, ImplicitVRLittleEndian)])
    forward = Peer("PACS", "127.0.0.1", only.port)
    Sender(replace(settings, forward=forward), queue, Event()).step()
    only.stop()
    assert set(only.objects) == results


def test_a_stop_ends_between_two_instances(settings, queue, pacs, results):
    stop = Event()
    stop.set()
    Sender(settings, queue, stop).step()
    assert pacs.received == [] and job(queue).state == "sending"
