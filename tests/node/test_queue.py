"""The queue's laws: what is known stays known, a set is fixed when its job starts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resample_ct.node.queue import Queue


def states(queue):
    return [row.job.state for row in queue.rows()]


def fill(queue, count=3, series="1.2"):
    for index in range(count):
        queue.add(f"{series}.{index}", series, Path(f"/x/{series}.{index}"), "digest")


def run(queue, results=2):
    queue.queue_quiet(0)
    job = queue.start_next()
    queue.reconstructed(job.number, [(f"9.{job.number}.{i}", Path(f"/r/{i}")) for i in range(results)])
    return job


def test_a_series_goes_through_every_state(queue):
    fill(queue)
    assert states(queue) == ["received"]
    assert queue.start_next() is None
    queue.queue_quiet(0)
    assert states(queue) == ["queued"]
    job = queue.start_next()
    assert states(queue) == ["running"] and len(queue.sources(job.number)) == 3
    queue.reconstructed(job.number, [("9.1", Path("/r/1"))])
    assert states(queue) == ["reconstructed"]
    queue.sending(queue.next_to_send().number)
    assert queue.unsent(job.number) == [("9.1", Path("/r/1"))]
    queue.confirmed("9.1")
    assert queue.unsent(job.number) == []
    queue.sent(job.number)
    assert states(queue) == ["sent"] and queue.next_to_send() is None


def test_a_series_that_still_comes_is_not_queued(queue):
    fill(queue)
    assert queue.queue_quiet(60) == []
    assert states(queue) == ["received"]


def test_an_instance_brings_a_queued_series_back_to_waiting(queue):
    fill(queue, 2)
    queue.queue_quiet(0)
    fill(queue, 3)
    assert states(queue) == ["received"]


@pytest.mark.parametrize("ended", ["running", "reconstructed", "sent", "failed"])
def test_a_late_instance_opens_a_job_with_the_larger_set(queue, ended):
    fill(queue, 2)
    queue.queue_quiet(0)
    first = queue.start_next()
    if ended == "failed":
        queue.failed(first, "gap")
    elif ended != "running":
        queue.reconstructed(first.number, [])
        if ended == "sent":
            queue.sent(first.number)
    queue.add("1.2.9", "1.2", Path("/x/late"), "digest")
    assert states(queue) == [ended, "received"]
    assert len(queue.sources(first.number)) == 2
    queue.queue_quiet(0)
    while (job := queue.start_next()).number == first.number:
        queue.reconstructed(first.number, [])
    assert len(queue.sources(job.number)) == 3


def test_a_repeated_instance_opens_nothing_unless_the_series_failed(queue):
    fill(queue)
    job = run(queue)
    assert queue.holds("1.2.0", "digest") and not queue.holds("1.2.0", "another")
    queue.repeated("1.2")
    assert states(queue) == ["reconstructed"]
    queue.failed(job, "refused")
    queue.repeated("1.2")
    assert states(queue) == ["failed", "received"]


def test_a_job_that_a_crash_cut_off_comes_first(queue, folder):
    fill(queue, series="1.2")
    fill(queue, series="1.3")
    queue.queue_quiet(0)
    cut_off = queue.start_next()
    again = Queue(folder.queue)
    assert again.start_next().number == cut_off.number
    again.close()


def test_a_failed_attempt_waits_and_is_counted(queue):
    fill(queue)
    queue.queue_quiet(0)
    job = queue.start_next()
    queue.retry(job, "signal 9", 60)
    assert queue.start_next() is None
    row = queue.rows()[0].job
    assert (row.state, row.attempts, row.error) == ("running", 1, "signal 9")
    queue.retry(job, "signal 9", 0)
    assert queue.start_next().attempts == 2


def test_ended_series_are_forgotten_and_results_stay_known(queue):
    fill(queue, series="1.2")
    job = run(queue)
    queue.sent(job.number)
    fill(queue, series="1.3")
    assert queue.forget(time.time() - 60) == ([], [])
    jobs, files = queue.forget(time.time() + 1)
    assert jobs == [job.number]
    assert sorted(files) == [Path(f"/x/1.2.{i}") for i in range(3)]
    assert queue.count("1.2") == 0 and queue.count("1.3") == 3
    assert queue.is_result(f"9.{job.number}.0")


STEPS = st.lists(st.sampled_from(["add", "quiet", "start", "done", "sent", "crash"]), max_size=30)


@given(steps=STEPS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_every_instance_ends_in_a_sent_job(steps, tmp_path_factory):
    """The law behind "loses none": any order of events, then peace, and all is done."""
    path = tmp_path_factory.mktemp("queue") / "queue.sqlite"
    queue = Queue(path)
    added = 0
    for step in [*steps, "quiet", *["start", "done", "sent"] * len([*steps, 1])]:
        if step == "add":
            queue.add(f"1.{added}", "1", Path(f"/x/{added}"), "digest")
            added += 1
        elif step == "quiet":
            queue.queue_quiet(0)
        elif step == "start":
            queue.start_next()
        elif step == "done":
            running = [r.job for r in queue.rows() if r.job.state == "running"]
            assert len(running) <= 1
            for job in running:
                queue.reconstructed(job.number, [(f"9.{job.number}", Path("/r"))])
        elif step == "sent":
            job = queue.next_to_send()
            if job:
                for uid, _ in queue.unsent(job.number):
                    queue.confirmed(uid)
                queue.sent(job.number)
        else:
            queue.close()
            queue = Queue(path)
            queue.restart()
    rows = queue.rows()
    assert all(row.job.state == "sent" and row.sent == row.results == 1 for row in rows)
    covered = {uid for row in rows for uid, _ in queue.sources(row.job.number)}
    assert covered == {f"1.{i}" for i in range(added)}
    queue.close()
