"""Where ReSample starts is a value that it honours, or refuses: no setting goes unheard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from resample_ct.errors import OptionError
from resample_ct.reconstruct.classical import CGLS, TV
from resample_ct.reconstruct.resample import ReSample
from resample_ct.reconstruct.resample_settings import (
    PRESETS,
    ReSampleSettings,
    changes,
    settings_from,
)
from resample_ct.reconstruct.start import CascadeStart, FBPUNetStart, OwnStart, TVStart
from resample_ct.run.job import Job


@pytest.mark.parametrize("preset", ["balanced", "fast"])
def test_preset_without_the_start_that_it_names_is_refused_with_what_to_pass(tiny_prior, preset):
    with pytest.raises(
        OptionError, match=r"start: found nothing, expected Cascade\(fbp_unet, refiner, rou"
    ):
        ReSample(tiny_prior, PRESETS[preset])


def test_another_start_than_the_settings_name_is_refused(tiny_prior):
    for described, given in (
        (None, TV()),
        (TVStart(30), CGLS()),
        (TVStart(30), TV(iterations=3)),
        (OwnStart(30), TV()),
        (OwnStart(30), None),
        (FBPUNetStart(30), TV()),
        (CascadeStart(30), TV()),
    ):
        with pytest.raises(OptionError, match=r"start: found .*, expected"):
            ReSample(tiny_prior, ReSampleSettings(steps=2, start=described), given)


def test_tv_and_a_method_of_ones_own_are_taken(tiny_prior):
    assert ReSample(tiny_prior, ReSampleSettings(steps=2, start=TVStart(30))).start == TV()
    own = ReSample(tiny_prior, ReSampleSettings(steps=2, start=OwnStart(30)), CGLS())
    assert own.start == CGLS()


@pytest.mark.parametrize("preset", PRESETS)
def test_job_runs_the_preset_that_it_names(preset):
    job = Job(Path("study"), Path("out"), preset=preset)
    assert (job.preset, job.settings) == (preset, PRESETS[preset])
    assert job.told_settings == f"preset {preset}"


def test_job_says_which_settings_are_not_a_presets():
    assert (Job(Path("study"), Path("out")).preset) == "balanced"
    own = Job(Path("study"), Path("out"), settings=replace(PRESETS["fast"], steps=3))
    assert (own.preset, own.settings.steps) == (None, 3)
    changed = Job(Path("study"), Path("out"), preset="fast", settings=settings_from("fast", ["steps=3"]))
    assert changed.told_settings == "preset fast, steps=3"
    with pytest.raises(OptionError, match="preset quick: unknown, expected one of paper"):
        Job(Path("study"), Path("out"), preset="quick")


@pytest.mark.parametrize(
    ("preset", "texts", "start"),
    [
        ("paper", [], None),
        ("paper", ["start=200"], TVStart(200)),
        ("fast", ["start=none"], None),
        ("fast", ["start_rounds=6", "start=20"], CascadeStart(20, 6)),
        ("balanced", ["start_estimate=cascade"], CascadeStart(30, 8, True)),
        ("balanced", ["start_estimate=tv"], TVStart(30)),
        ("balanced", ["start_estimate=fbp-unet"], FBPUNetStart(30)),
        ("general", ["start=9", "start_estimate=cascade", "start_flips=yes"], CascadeStart(9, 4, True)),
    ],
)
def test_start_is_read_from_texts_and_told_as_such(preset, texts, start):
    settings = settings_from(preset, texts)
    assert settings.start == start
    assert settings_from(preset, changes(settings, preset)) == settings


@pytest.mark.parametrize(
    ("preset", "texts", "told"),
    [
        ("paper", ["start_rounds=6"], "start_rounds: found 6 from pure noise"),
        ("fast", ["start_estimate=tv", "start_rounds=6"], "start_rounds: found 6 with a start from tv"),
        ("fast", ["start_rounds=0"], "start_rounds: found 0, expected 1 or more"),
        ("fast", ["start_rounds=many"], "start_rounds=many"),
        ("fast", ["start=soon"], "start=soon"),
        ("fast", ["start_estimate=art"], "start_estimate: found art, expected one of tv"),
        ("fast", ["start_steps=3"], "start_steps=3: unknown setting start_steps"),
        ("fast", ["start=none", "keep_detail=yes"], "keep_detail: found true from pure noise"),
    ],
)
def test_field_that_the_start_has_not_is_refused(preset, texts, told):
    with pytest.raises(OptionError, match=told):
        settings_from(preset, texts)
