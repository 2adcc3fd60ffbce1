"""The command in a report makes the comparison again."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from resample_ct.commands.compare import compare
from resample_ct.commands.job_options import job_of
from resample_ct.comparison.command_line import command_line
from resample_ct.comparison.conditions import Comparison
from resample_ct.reconstruct.resample_settings import settings_from
from resample_ct.run.job import Job


def parsed(line):
    """What the command line makes of a line."""
    _, _, *words = shlex.split(line)
    given = compare.make_context("compare", words).params
    names = ("studies", "series", "noises", "angles", "lesions")
    own = {name: given.pop(name) for name in names}
    given.pop("resume")
    return Comparison(job_of(source=own["studies"][0], **given), **own)


@pytest.fixture
def comparison(tmp_path):
    for name in ("a study", "b"):
        (tmp_path / name).mkdir()
    settings = settings_from("fast", ["gamma=10", "start=none"])
    common = Job(
        tmp_path / "a study",
        tmp_path / "out",
        methods=("tv", "resample"),
        slices="9:17",
        geometry="fan-flat",
        arc=200.0,
        detectors=300,
        pixels="native",
        kvp=120.0,
        seed=3,
        preset="fast",
        settings=settings,
        bundles={"prior": Path("my prior")},
    )
    studies = (tmp_path / "a study", tmp_path / "b")
    return Comparison(common, studies, ("1.2", "1.3"), ("none", "poisson:1e5"), (25, 10), lesions=True)


def test_line_is_parsed_to_the_same_comparison(comparison):
    assert parsed(command_line(comparison)) == comparison


def test_line_of_a_de_identified_comparison_names_no_file(comparison):
    line = command_line(replace(comparison, common=replace(comparison.common, deidentify=True)))
    assert "a study" not in line and "1.2" not in line and str(comparison.common.out) not in line
    assert line.startswith("resample-ct compare STUDY1 STUDY2 ") and "--deidentify" in line
