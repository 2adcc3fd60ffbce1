"""What a user is told of the work: how much is done, and when it will be."""

from __future__ import annotations

import pytest

from resample_ct import progress
from resample_ct.progress import Pace, listening, part, progress_bar, track, within


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_time_left_is_at_the_pace_so_far(clock):
    pace = Pace(clock)
    pace.update(0, 10)
    assert pace.seconds_left is None and str(pace) == "0:00:00 so far"
    clock.now += 60
    pace.update(4, 10)
    assert pace.seconds_left == pytest.approx(90)
    assert str(pace) == "0:01:00 so far, about 0:01:30 left"


def test_what_an_earlier_run_did_is_not_of_this_ones_pace(clock):
    pace = Pace(clock)
    pace.update(500, 1000)
    clock.now += 10
    pace.update(510, 1000)
    assert pace.seconds_left == pytest.approx(490)


def test_other_work_has_a_pace_of_its_own(clock):
    pace = Pace(clock)
    pace.update(0, 30)
    clock.now += 1
    pace.update(30, 30)
    pace.update(0, 200)
    clock.now += 100
    pace.update(100, 200)
    assert pace.seconds_left == pytest.approx(100)


def test_nothing_is_shown_before_the_work_begins(capsys):
    with progress_bar():
        pass
    assert capsys.readouterr().err == ""


def test_without_a_terminal_there_is_a_line_every_half_minute(capsys, monkeypatch, clock):
    monkeypatch.setattr(progress.time, "monotonic", clock)
    with progress_bar() as update:
        for second in range(91):
            update(second, 100, "tv [1]")
            clock.now += 1
    assert capsys.readouterr().err.splitlines() == [
        "tv [1]: 0%, 0:00:00 so far",
        "tv [1]: 30%, 0:00:30 so far, about 0:01:10 left",
        "tv [1]: 60%, 0:01:00 so far, about 0:00:40 left",
        "tv [1]: 90%, 0:01:30 so far, about 0:00:10 left",
    ]


@pytest.fixture
def heard():
    shares = []
    with listening(shares.append):
        yield shares


def test_steps_within_steps_and_parts_are_one_share_that_only_rises(heard):
    with part(0, 0.5):
        for _ in track("ab"):
            for _ in track("cd"):
                pass
    with part(0.5, 1):
        for _ in track("ef"):
            pass
    assert heard == sorted(heard)
    assert list(dict.fromkeys(heard)) == [0.125, 0.25, 0.375, 0.5, 0.75, 1.0]


def test_steps_are_gone_through_where_nobody_listens():
    assert list(track([1, 2, 3])) == [1, 2, 3]


def test_nobody_hears_of_a_loop_that_an_error_ended():
    shares, kept = [], track("ab")
    with pytest.raises(KeyError), listening(shares.append):
        for _ in kept:
            raise KeyError
    kept.close()
    list(track("ab"))
    assert shares == []


def test_work_within_all_ends_where_the_next_begins():
    seen = []
    tell = within(lambda *told: seen.append(told), 2.0, 4.0, 6.0, "tv")
    for share in (0.0, 0.5, 1.0):
        tell(share)
    assert seen == [(2.0, 6.0, "tv"), (4.0, 6.0, "tv"), (6.0, 6.0, "tv")]
