"""SIGKILL at any moment loses no study and sends none twice."""

from __future__ import annotations

import random
import signal
import time

import pydicom
import pytest
from kill_at import POINTS
from peers import QUICK, associate, wait_for

pytestmark = pytest.mark.slow


def send_what_was_not_answered(port, files):
    """What a PACS does: an instance without a success is sent again later. Returns those left."""
    left = list(files)
    association = associate(port)
    while left and association.is_established:
        try:
            if association.send_c_store(left[0]).get("Status") != 0x0000:
                break
        except RuntimeError:
            break
        left.pop(0)
    if association.is_established:
        association.release()
    return left


def source_uids(files):
    return {str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files}


def check(pacs, studies):
    """Each study came back exactly once, whole."""
    derived = {}
    for dataset in pacs.objects.values():
        source = str(dataset.SourceImageSequence[0].ReferencedSOPInstanceUID)
        derived.setdefault(str(dataset.SeriesInstanceUID), set()).add(source)
    assert sorted(map(sorted, derived.values())) == sorted(sorted(source_uids(s)) for s in studies)
    assert all(len(uids) == len(derived[series]) for series, uids in pacs.series().items())


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point(point, node, pacs, slices, killing_program):
    count = 2 if "instance" in point or "answer" in point else 1
    killed = node(*QUICK, program=killing_program(point, count))
    left = send_what_was_not_answered(killed.port, slices)
    assert killed.process.wait(360) == -signal.SIGKILL
    again = node(*QUICK)
    assert send_what_was_not_answered(again.port, left) == []
    wait_for(lambda: again.states() == ["sent"], 180)
    check(pacs, [slices])
    # Only the instance whose answer was lost comes twice, and as the same object.
    twice = len(pacs.received) - len(pacs.objects)
    assert twice == (1 if point == "between the PACS's answer and its record" else 0)


def test_killed_ten_times_at_random(node, pacs, slices, series):
    other = sorted(series(3, name="other", edit=new_series).glob("*.dcm"))
    left = [*slices, *other]
    rng = random.Random(0)
    for _ in range(10):
        process = node(*QUICK)
        port = process.port
        left = send_what_was_not_answered(port, left)
        time.sleep(rng.uniform(0.0, 5.0))
        process.kill()
    process = node(*QUICK)
    left = send_what_was_not_answered(process.port, left)
    assert left == []
    wait_for(lambda: set(process.states()) == {"sent"}, 240)
    check(pacs, [slices, other])


def new_series(dataset, index):
    dataset.SeriesInstanceUID = f"{dataset.SeriesInstanceUID[:50]}.77"
    dataset.SOPInstanceUID = f"{dataset.SOPInstanceUID[:50]}.77.{index}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
