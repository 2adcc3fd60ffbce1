"""ReSample: the paper's figures, its stages, and what each option changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from resample_ct.errors import OptionError
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.reconstruct import resample as module
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.resample import ReSample
from resample_ct.reconstruct.resample_settings import PRESETS, ReSampleSettings, settings_from
from resample_ct.reconstruct.rules import Piccs, PseudoInverse, Ridge, rule_text
from resample_ct.reconstruct.start import OwnStart, TVStart
from resample_ct.run.simulate import method_generators
from resample_ct.solvers.solution import Solution

QUICK = ReSampleSettings(
    steps=4,
    skip=1,
    pixel=PseudoInverse(0.9, 2),
    latent_iterations=2,
    final_latent_iterations=2,
    latent_rate=2e-2,
)


@pytest.fixture
def measurement(real_slice):
    operator = make_projector(ParallelBeam.uniform(256, 8))
    y = operator(torch.cat([real_slice, real_slice.flip(-1)]))
    return Measurement(operator, y, torch.full((2,), 1e-4))


def run(prior, measurement, settings, seed=0):
    return ReSample(prior, settings)(measurement, method_generators(seed, [0, 1])).x


def test_paper_preset_holds_the_papers_figures():
    s = PRESETS["paper"]
    assert (s.steps, s.start, s.eta, s.skip, s.pixel_below, s.latent_below) == (
        1000,
        None,
        0,
        10,
        750,
        300,
    )
    assert (s.gamma, s.variance_rule, s.remap) == (40, "paper", "resample")
    assert s.pixel == PseudoInverse(kappa=0.9, iterations=50)
    assert (s.latent_iterations, s.tau, s.latent_dps_scale, s.final) == (500, 1e-5, 0, None)


def test_seed_gives_the_same_bits_and_another_seed_others(tiny_prior, measurement):
    first, again = (run(tiny_prior, measurement, QUICK) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, run(tiny_prior, measurement, QUICK, seed=1))


def test_slice_does_not_depend_on_its_batch(tiny_prior, measurement):
    both = run(tiny_prior, measurement, QUICK)
    alone = Measurement(measurement.operator, measurement.sinogram[1:], measurement.noise_variance[1:])
    single = ReSample(tiny_prior, QUICK)(alone, method_generators(0, [1])).x
    assert torch.allclose(both[1:], single, atol=1e-3)


def stages(prior, measurement, settings, monkeypatch):
    """Times at which each kind of consistency was asked for."""
    seen = {"pixel": [], "latent": []}
    now = {}
    predict, pixel, latent = ReSample._predict, ReSample._pixel_consistency, module.optimise_latent

    def note_time(self, measurement, z, t):
        now["t"] = t
        return predict(self, measurement, z, t)

    def note_pixel(self, measurement, clean):
        seen["pixel"].append(now["t"])
        return pixel(self, measurement, clean)

    def note_latent(*arguments):
        seen["latent"].append(now["t"])
        return latent(*arguments)

    monkeypatch.setattr(ReSample, "_predict", note_time)
    monkeypatch.setattr(ReSample, "_pixel_consistency", note_pixel)
    monkeypatch.setattr(module, "optimise_latent", note_latent)
    run(prior, measurement, settings)
    return seen


def test_stages_follow_algorithm_1(tiny_prior, measurement, monkeypatch):
    """Plain DDIM above 750, pixels down to 300, latents below; one more latent solve at the end."""
    seen = stages(tiny_prior, measurement, replace(QUICK, steps=20, skip=2), monkeypatch)
    assert seen["pixel"] and all(300 < t <= 750 for t in seen["pixel"])
    assert len(seen["latent"]) > 1 and all(t <= 300 for t in seen["latent"])
    assert len(seen["pixel"]) == 4 and len(seen["latent"]) == 3 + 1


def test_no_consistency_leaves_an_unconditional_sample(tiny_prior, measurement):
    free = replace(QUICK, pixel_below=0, latent_below=0, final_latent_iterations=0)
    other = Measurement(measurement.operator, measurement.sinogram * 2, measurement.noise_variance)
    assert torch.equal(run(tiny_prior, measurement, free), run(tiny_prior, other, free))


@pytest.mark.parametrize(
    "change",
    [
        {"remap": "encode"},
        {"variance_rule": "code"},
        {"tweedie_rule": "code"},
        {"look_ahead": 1},
        {"gamma": 0.1},
        {"latent_dps_scale": 0.5},
        {"latent_rule": "gauss-newton"},
        {"pixel": Ridge(0.05, 2)},
        {"pixel": Piccs(0.5, 2)},
        {"pixel": PseudoInverse(0.1, 2)},
        {"start": TVStart(300)},
        {"eta": 1.0},
    ],
    ids=str,
)
def test_every_option_changes_the_result_and_keeps_it_finite(tiny_prior, measurement, change):
    base, changed = (
        run(tiny_prior, measurement, QUICK),
        run(tiny_prior, measurement, replace(QUICK, **change)),
    )
    assert changed.isfinite().all()
    assert not torch.allclose(base, changed, atol=1e-4)


def latents_given_to_consistency(prior, measurement, settings, monkeypatch):
    seen = []

    def untouched(prior, measurement, z, *rest):
        seen.append(z)
        return Solution.of_all(z, torch.zeros(len(z)), 0)

    monkeypatch.setattr(module, "optimise_latent", untouched)
    run(prior, measurement, settings)
    return seen


def test_a_look_ahead_to_the_end_makes_the_unconditional_sample_consistent(
    tiny_prior, measurement, monkeypatch
):
    latent_from_the_start = replace(QUICK, pixel_below=1000, latent_below=1000)
    first, *_ = latents_given_to_consistency(
        tiny_prior, measurement, replace(latent_from_the_start, look_ahead=3), monkeypatch
    )
    free = replace(QUICK, pixel_below=0, latent_below=0)
    (sample,) = latents_given_to_consistency(tiny_prior, measurement, free, monkeypatch)
    torch.testing.assert_close(first, sample)


@pytest.mark.parametrize("rule", [Ridge(0.05, 20), Piccs(0.5, 20), PseudoInverse(0.9, 20)], ids=rule_text)
def test_final_pixel_step_fits_the_measurement_better(tiny_prior, measurement, rule):
    before = measurement.residual(run(tiny_prior, measurement, QUICK))
    settings = replace(QUICK, final=rule)
    assert (measurement.residual(run(tiny_prior, measurement, settings)) < 0.5 * before).all()


def test_settings_take_text_and_refuse_what_they_do_not_know():
    settings = settings_from("balanced", ["gamma=7", "start=none", "remap=encode", "final=ridge:0.1,5"])
    assert (settings.gamma, settings.start, settings.remap) == (7, None, "encode")
    assert settings.final == Ridge(weight=0.1, iterations=5)
    for text, told in (
        ("gama=1", "gama=1: unknown setting gama, expected one of steps"),
        ("gamma", "gamma: found no value, expected gamma=VALUE"),
        ("gamma=big", "gamma=big"),
        ("remap=shuffle", "remap=shuffle"),
        ("steps=0", "steps"),
        ("latent_below=900", "latent_below"),
        ("pixel=piccs:1.5,40", "pixel=piccs:1.5,40: piccs: found alpha 1.5"),
        ("pixel=piccs", "pixel=piccs: found piccs, expected one of pseudo-inverse:KAPPA,N"),
        ("pixel=none", "pixel"),
        ("gamma=-1", "gamma: found -1"),
        ("gamma=nan", "gamma: found nan"),
        ("pixel=pseudo-inverse:inf,50", "found kappa inf"),
        ("final=ridge:0.1,-3", "found -3 iterations"),
        ("latent_rate=0", "latent_rate: found 0"),
        ("start=-5", "start: found -5"),
    ):
        with pytest.raises(OptionError, match=told):
            settings_from("balanced", [text])


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ({"start": TVStart(1000)}, "start: found 1000, expected 0 to 999"),
        ({"start": TVStart(1), "steps": 3}, "steps: found 3"),
    ],
)
def test_times_that_the_schedule_has_not_are_refused_before_anything_runs(tiny_prior, times, told):
    with pytest.raises(OptionError, match=told):
        ReSample(tiny_prior, ReSampleSettings(**times))


def test_several_samples_are_averaged(tiny_prior, measurement):
    settings = ReSampleSettings(
        steps=2,
        start=TVStart(200),
        skip=1,
        latent_iterations=0,
        final_latent_iterations=0,
        pixel=PseudoInverse(0.9, 2),
    )
    generators = method_generators(7, [0, 1])
    apart = [ReSample(tiny_prior, settings)(measurement, generators).x for _ in range(2)]
    together = run(tiny_prior, measurement, replace(settings, samples=2), seed=7)
    assert not torch.allclose(apart[0], apart[1], atol=1e-4)
    torch.testing.assert_close(together, (apart[0] + apart[1]) / 2, atol=1e-5, rtol=1e-5)


def test_start_encodes_the_estimate_that_was_given(tiny_prior, measurement):
    settings = ReSampleSettings(
        steps=1, start=OwnStart(1), skip=1, latent_iterations=0, final_latent_iterations=0
    )
    chosen = torch.full((2, 1, 256, 256), 0.4)
    method = ReSample(tiny_prior, settings, lambda measurement, generators: measurement.solution(chosen))
    found = method(measurement, method_generators(0, [0, 1])).x
    assert not torch.allclose(
        found, run(tiny_prior, measurement, replace(settings, start=TVStart(1))), atol=1e-3
    )


def test_second_round_starts_from_the_first_ones_result(tiny_prior, measurement):
    settings = ReSampleSettings(
        steps=2,
        start=TVStart(200),
        skip=1,
        latent_iterations=0,
        final_latent_iterations=0,
        pixel=PseudoInverse(0.9, 2),
    )
    generators = method_generators(7, [0, 1])
    first = ReSample(tiny_prior, settings)(measurement, generators).x
    own = replace(settings, start=OwnStart(200))
    method = ReSample(tiny_prior, own, lambda measurement, generators: measurement.solution(first))
    second = method(measurement, generators).x
    both = run(tiny_prior, measurement, replace(settings, rounds=2), seed=7)
    torch.testing.assert_close(both, second, atol=1e-5, rtol=1e-5)
    with pytest.raises(OptionError, match="rounds: found 2 from pure noise"):
        replace(settings, rounds=2, start=None)
