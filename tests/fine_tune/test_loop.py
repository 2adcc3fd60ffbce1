"""The training loop: exact resume, refusals, rate, accumulation, validation and early stop."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from small_task import Killed, SumTask
from torch import nn

from fine_tune.loop import LoopSettings, generator_of_step, train
from resample_ct.errors import OptionError, ResampleCTError

ORIGIN = {"patients": ["A"], "starts_from": None}
SETTINGS = LoopSettings(steps=12, learning_rate=1e-2, batch=16, warmup=3, checkpoint_every=5)


@pytest.fixture
def run(network, alone, unwatched):
    def start(path, settings=SETTINGS, task=None, model=None, processes=alone, origin=ORIGIN):
        return train(task or SumTask(), model or network(), settings, origin, path, unwatched, processes)

    return start


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("step", [0, 4, 5, 7, 11])
@pytest.mark.parametrize("validate_every", [0, 4])
def test_killed_run_ends_with_the_weights_of_an_uninterrupted_one(
    tmp_path, run, network, step, validate_every
):
    settings = replace(SETTINGS, validate_every=validate_every)
    models = network(), network()
    whole = run(tmp_path / "whole.pt", settings, model=models[0])
    with pytest.raises(Killed):
        run(tmp_path / "cut.pt", settings, SumTask(kill_at=step))
    torch.manual_seed(99)
    resumed = run(tmp_path / "cut.pt", settings, model=models[1])
    assert same(whole, resumed)
    assert same(models[0].state_dict(), models[1].state_dict())


def test_finished_run_returns_its_average_without_a_step(tmp_path, run):
    first = run(tmp_path / "a.pt")
    assert same(first, run(tmp_path / "a.pt", task=SumTask(kill_at=0)))


@pytest.mark.parametrize(
    "change", [{"steps": 13}, {"learning_rate": 1e-3}, {"seed": 1}, {"ema_decay": 0.9}, {"batch": 8}]
)
def test_checkpoint_of_other_settings_is_refused(tmp_path, run, change):
    run(tmp_path / "a.pt")
    with pytest.raises(ResampleCTError, match=r"a.pt: written with .* expected .* use the same options"):
        run(tmp_path / "a.pt", replace(SETTINGS, **change))


@pytest.mark.parametrize(
    "change", [{"patients": ["A", "B"]}, {"starts_from": {"unet": "aa"}}, {"low_rank": 2}]
)
def test_checkpoint_of_other_data_or_weights_is_refused_for_what_differs(tmp_path, run, change):
    run(tmp_path / "a.pt")
    with pytest.raises(ResampleCTError, match=rf"a.pt: written with {{'{next(iter(change))}': [^,]*}},"):
        run(tmp_path / "a.pt", origin=ORIGIN | change)


class Spoilt(SumTask):
    """A task whose loss goes wrong."""

    def __init__(self, spoil):
        super().__init__()
        self.spoil = spoil

    def loss(self, network, *batch):
        return self.spoil(super().loss(network, *batch))


def test_loss_that_is_not_finite_is_refused(tmp_path, run):
    with pytest.raises(ResampleCTError, match="training step 0: the loss is nan"):
        run(tmp_path / "a.pt", task=Spoilt(lambda loss: loss * float("nan")))
    assert not (tmp_path / "a.pt").exists()


def test_gradient_that_is_not_finite_is_refused_before_it_reaches_the_weights(tmp_path, run, network):
    model = network()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with pytest.raises(ResampleCTError, match="its gradient nan, expected finite"):
        # The slope of the square root at zero is infinite, though the loss is not.
        run(tmp_path / "a.pt", model=model, task=Spoilt(lambda loss: (0 * loss).sqrt()))
    assert same(before, model.state_dict())


def test_training_lowers_the_loss(tmp_path, run, network):
    model, task = network(), SumTask()
    before = task.validate(model)
    run(tmp_path / "a.pt", replace(SETTINGS, steps=150), model=model)
    assert task.validate(model) > before


@pytest.mark.parametrize("accumulate", [2, 8])
def test_accumulation_changes_nothing_but_rounding(tmp_path, run, accumulate):
    at_once = run(tmp_path / "a.pt")
    in_parts = run(tmp_path / "b.pt", replace(SETTINGS, accumulate=accumulate))
    for name, weight in at_once.items():
        torch.testing.assert_close(in_parts[name], weight, atol=1e-5, rtol=1e-4)


def test_batch_that_cannot_be_parted_equally_is_refused(tmp_path, run):
    with pytest.raises(OptionError, match=r"--batch 16: found 1 processes with 3 .* multiple of 3"):
        run(tmp_path / "a.pt", replace(SETTINGS, accumulate=3))


def test_bfloat16_computes_the_forward_pass_in_it(tmp_path, run):
    kinds = set()

    class Watching(SumTask):
        def loss(self, network, *batch):
            kinds.add(network(batch[0]).dtype)
            return super().loss(network, *batch)

    average = run(tmp_path / "a.pt", replace(SETTINGS, precision="bfloat16"), Watching())
    assert kinds == {torch.bfloat16}
    assert all(weight.dtype == torch.float32 for weight in average.values())


def test_frozen_weights_stay(tmp_path, run, network):
    model = network()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    average = run(tmp_path / "a.pt", model=model)
    assert torch.equal(model[0].weight, before)
    assert not torch.equal(average["2.weight"], network()[2].weight)


def test_best_validated_average_is_what_training_gives(tmp_path, run):
    settings = replace(SETTINGS, steps=8, validate_every=2)
    best = run(tmp_path / "best.pt", settings, SumTask(merits=iter([0.0, 1.0, 3.0, 2.0, 1.0])))
    second = {}

    class Keeping(SumTask):
        def validate(self, network):
            second[len(second)] = {k: v.clone() for k, v in network.state_dict().items()}
            return 0.0

    run(tmp_path / "all.pt", settings, Keeping())
    assert same(best, second[2])


def test_training_that_never_beats_its_start_gives_the_start(tmp_path, run, network):
    settings = replace(SETTINGS, steps=8, validate_every=2)
    merits = [3.0, 1.0, 2.0, 2.9, 3.0]
    assert same(run(tmp_path / "a.pt", settings, SumTask(merits=iter(merits))), network().state_dict())


def test_patience_without_validations_is_refused():
    with pytest.raises(OptionError, match=r"--patience 3: found --validate-every 0, .*; give one"):
        replace(SETTINGS, patience=3)


def test_patience_ends_a_training_that_no_longer_improves(tmp_path, run):
    settings = replace(SETTINGS, steps=100, validate_every=2, patience=3)
    task = SumTask(merits=iter([0.0, 1.0, 2.0, 1.9, 1.8, 1.7, 9.0]))
    run(tmp_path / "a.pt", settings, task)
    assert task.calls == 10


def test_patience_outlives_a_kill(tmp_path, run):
    settings = replace(SETTINGS, steps=100, validate_every=2, patience=3, checkpoint_every=1)
    with pytest.raises(Killed):
        run(tmp_path / "a.pt", settings, SumTask(kill_at=7, merits=iter([0.0, 2.0, 1.0, 1.0])))
    task = SumTask(merits=iter([1.0, 9.0]))
    run(tmp_path / "a.pt", settings, task)
    assert task.calls == 1


def test_average_of_a_model_at_rest_is_the_model(tmp_path, run, network):
    model = network()
    average = run(tmp_path / "a.pt", replace(SETTINGS, learning_rate=0.0), model=model)
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(average[name], weight)


def test_counters_are_copied_into_the_average(tmp_path, run):
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 1))
    average = run(tmp_path / "a.pt", model=model)
    assert int(average["0.num_batches_tracked"]) == SETTINGS.steps


def test_rate_warms_up_then_falls_to_nothing():
    rates = [SETTINGS.rate(step) for step in range(13)]
    assert rates[:4] == pytest.approx([1 / 3, 2 / 3, 1, 1])
    assert all(later < earlier for earlier, later in pairwise(rates[3:]))
    assert rates[12] == pytest.approx(0, abs=1e-6)


def test_constant_rate_stays():
    settings = replace(SETTINGS, decay="constant")
    assert [settings.rate(step) for step in (0, 3, 12)] == pytest.approx([1 / 3, 1, 1])


def test_generator_depends_on_seed_and_step_alone():
    draws = {
        (s, n): float(torch.rand(1, generator=generator_of_step(s, n))) for s in (0, 1) for n in (0, 1)
    }
    assert len(set(draws.values())) == 4
    assert draws[1, 1] == float(torch.rand(1, generator=generator_of_step(1, 1)))
