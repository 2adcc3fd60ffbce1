"""The training loop: exact resume, refusals, rate and average."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from fine_tune.loop import LoopSettings, generator_of_step, train
from resample_ct.errors import ResampleCTError

SETTINGS = LoopSettings(steps=12, learning_rate=1e-2, warmup=3, checkpoint_every=5)


class Killed(BaseException):
    """Ends a run from outside."""


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 1))


def loss(model, generator):
    x = torch.randn(16, 4, generator=generator)
    return (model(x) - x.prod(dim=1, keepdim=True)).square().mean()


def run(path, settings=SETTINGS, loss=loss, model=None, report=lambda step, value: None):
    return train(model or network(), loss, settings, path, report)


def interrupted(step, loss=loss):
    """The loss, until the run is killed in `step`."""
    calls = iter(range(1000))

    def killing(model, generator):
        if next(calls) == step:
            raise Killed
        return loss(model, generator)

    return killing


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("step", [0, 4, 5, 7, 11])
def test_killed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, step):
    models = network(), network()
    whole = run(tmp_path / "whole.pt", model=models[0])
    with pytest.raises(Killed):
        run(tmp_path / "cut.pt", loss=interrupted(step))
    torch.manual_seed(99)
    resumed = run(tmp_path / "cut.pt", model=models[1])
    assert same(whole, resumed)
    assert same(models[0].state_dict(), models[1].state_dict())


def test_kill_while_writing_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    whole = run(tmp_path / "whole.pt")
    save = torch.save

    def cut_short(state, path):
        save(state, path)
        if state["step"] == 10:
            path.write_bytes(path.read_bytes()[:100])
            raise Killed

    monkeypatch.setattr(torch, "save", cut_short)
    with pytest.raises(Killed):
        run(tmp_path / "cut.pt")
    monkeypatch.undo()
    assert same(whole, run(tmp_path / "cut.pt"))


def test_finished_run_returns_its_average_without_a_step(tmp_path):
    first = run(tmp_path / "a.pt")
    assert same(first, run(tmp_path / "a.pt", loss=interrupted(0)))


@pytest.mark.parametrize(
    "change", [{"steps": 13}, {"learning_rate": 1e-3}, {"seed": 1}, {"ema_decay": 0.9}]
)
def test_checkpoint_of_other_settings_is_refused(tmp_path, change):
    run(tmp_path / "a.pt")
    with pytest.raises(ResampleCTError, match=r"a.pt: written with .* expected .* use the same options"):
        run(tmp_path / "a.pt", settings=replace(SETTINGS, **change))


def test_loss_that_is_not_finite_is_refused(tmp_path):
    with pytest.raises(ResampleCTError, match="training step 0: the loss is nan"):
        run(tmp_path / "a.pt", loss=lambda model, generator: loss(model, generator) * float("nan"))
    assert not (tmp_path / "a.pt").exists()


def test_gradient_that_is_not_finite_is_refused_before_it_reaches_the_weights(tmp_path):
    model = network()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with pytest.raises(ResampleCTError, match="its gradient nan, expected finite"):
        # The slope of the square root at zero is infinite, though the loss is not.
        run(tmp_path / "a.pt", model=model, loss=lambda m, g: (0 * loss(m, g)).sqrt())
    assert same(before, model.state_dict())


def test_training_lowers_the_loss(tmp_path):
    model, settings = network(), replace(SETTINGS, steps=150)
    generator = torch.Generator().manual_seed(5)
    before = float(loss(model, torch.Generator().manual_seed(5)).detach())
    run(tmp_path / "a.pt", settings=settings, model=model)
    assert float(loss(model, generator).detach()) < before


def test_average_of_a_model_at_rest_is_the_model(tmp_path):
    model = network()
    average = run(tmp_path / "a.pt", settings=replace(SETTINGS, learning_rate=0.0), model=model)
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(average[name], weight)


def test_last_step_is_reported(tmp_path):
    steps = []
    run(tmp_path / "a.pt", report=lambda step, value: steps.append(step))
    assert steps[-1] == 12


def test_rate_warms_up_then_falls_to_nothing():
    rates = [SETTINGS.rate(step) for step in range(13)]
    assert rates[:4] == pytest.approx([1 / 3, 2 / 3, 1, 1])
    assert all(later < earlier for earlier, later in pairwise(rates[3:]))
    assert rates[12] == pytest.approx(0, abs=1e-6)


def test_generator_depends_on_seed_and_step_alone():
    draws = {
        (s, n): float(torch.rand(1, generator=generator_of_step(s, n))) for s in (0, 1) for n in (0, 1)
    }
    assert len(set(draws.values())) == 4
    assert draws[1, 1] == float(torch.rand(1, generator=generator_of_step(1, 1)))
