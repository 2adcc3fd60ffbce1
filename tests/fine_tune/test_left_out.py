"""What a training tells of its data: read, left out, why."""

from __future__ import annotations

from fine_tune.left_out import Unusable, outcome


def test_every_series_left_out_is_named_with_its_reason():
    unusable = [Unusable("scans/B", "scans/B/3.dcm: found a gap of 6 mm"), Unusable("c.dcm", "damaged")]
    assert outcome("7 series of 3 patients", unusable) == [
        "read      7 series of 3 patients",
        "left out  2 series or files:",
        "  scans/B",
        "    scans/B/3.dcm: found a gap of 6 mm",
        "  c.dcm",
        "    damaged",
    ]


def test_where_nothing_is_left_out_nothing_is_said_of_it():
    assert outcome("7 series of 3 patients", []) == ["read      7 series of 3 patients"]


def test_the_refusal_of_who_wants_all_names_the_series():
    refusal = str(Unusable("scans/B", "damaged").refusal())
    assert refusal.startswith("scans/B: damaged; leave out --strict")
