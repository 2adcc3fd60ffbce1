"""A whole training, cut short: studies and weights in, bundle out, resumable to the same weights."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
import small_slices
import torch
from click.testing import CliRunner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fine_tune.loop import train
from resample_ct.bundles.bundle import read_bundle, read_card
from resample_ct.bundles.card import LatentPriorCard
from resample_ct.bundles.fbp_unet import FBPUNetCard, read_fbp_unet
from resample_ct.cli import main


@pytest.fixture(scope="module", autouse=True)
def small_slices_in_all_of_them():
    """See `shrink_slices`."""
    with pytest.MonkeyPatch.context() as patch:
        small_slices.shrink_slices(patch)
        yield


@pytest.fixture(scope="module")
def two_patients(sample_series, tmp_path_factory):
    root = tmp_path_factory.mktemp("studies")
    for patient, paths in (("A", (10, 11)), ("B", (20,))):
        (root / patient).mkdir()
        for index in paths:
            dataset = pydicom.dcmread(sample_series / f"1-{index:02d}.dcm")
            dataset.PatientID = patient
            dataset.SeriesInstanceUID = f"1.2.3.{ord(patient)}"
            dataset.save_as(root / patient / f"{index}.dcm")
    return root


def options(data, out, *more, steps=3, validate_every=0):
    return [
        *("--data", str(data), "--out", str(out), "--hold-out", "B", "--steps", str(steps)),
        *("--batch", "4", "--learning-rate", "1e-3", "--validate-every", str(validate_every)),
        *map(str, more),
    ]


def fine_tune(*arguments):
    result = CliRunner().invoke(main, ["fine-tune", *map(str, arguments)])
    return result.exit_code, result.output


def succeed(*arguments):
    code, output = fine_tune(*arguments)
    assert code == 0, output
    return output


BOTH = ("--train", "both", "--name", "mine", "--checkpoint-every", 1)


@pytest.fixture(scope="module")
def both(two_patients, tiny_bundle, tmp_path_factory):
    """A training of both networks: its bundle, and what it said."""
    out = tmp_path_factory.mktemp("both") / "mine"
    return out, succeed(*options(two_patients, out, "--init", tiny_bundle, *BOTH, validate_every=2))


@pytest.mark.slow
def test_both_networks_are_trained_from_a_bundle_and_say_so(both, tiny_bundle):
    out, output = both
    assert re.search(r"autoencoder: \d.* on the held-out slices", output)
    card, before = read_card(out, LatentPriorCard), read_bundle(tiny_bundle)
    after = read_bundle(out)
    assert card.name == "mine" and card.training["patients"] == ["A"]
    assert card.training["held_out"] == ["B"] and card.training["from"]["name"] == "tiny"
    assert card.spacing_mm is not None and card.spacing_mm[0] == pytest.approx(4 * 1.3, abs=0.08)
    for part in ("autoencoder", "unet"):
        old, new = getattr(before, part).state_dict(), getattr(after, part).state_dict()
        assert old.keys() == new.keys()
        assert any(not torch.equal(old[name], new[name]) for name in old)
    image = after.decode(after.encode(torch.zeros(1, 1, 64, 64)))
    assert image.shape == (1, 1, 64, 64) and image.isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "more, expected",
    [
        ((), "noise"),
        (("--predict", "velocity"), "velocity"),
        (("--predict", "clean"), "clean"),
    ],
)
def test_bundle_says_what_its_unet_predicts(two_patients, tiny_bundle, tmp_path, more, expected):
    succeed(*options(two_patients, tmp_path / "mine", "--init", tiny_bundle, *more, steps=1))
    assert read_bundle(tmp_path / "mine").prediction == expected
    again = tmp_path / "again"
    succeed(*options(two_patients, again, "--init", tmp_path / "mine", steps=1))
    assert read_card(again, LatentPriorCard).prediction == expected


@pytest.mark.slow
def test_only_the_network_asked_for_is_trained(two_patients, tiny_bundle, tmp_path):
    succeed(*options(two_patients, tmp_path / "mine", "--init", tiny_bundle, "--low-rank", 2))
    before, after = read_bundle(tiny_bundle), read_bundle(tmp_path / "mine")
    old, new = before.autoencoder.state_dict(), after.autoencoder.state_dict()
    assert all(torch.equal(old[name], new[name]) for name in old) and before.scale == after.scale
    old, new = before.unet.state_dict(), after.unet.state_dict()
    changed = [name for name in old if not torch.equal(old[name], new[name])]
    assert changed and all(name.endswith("weight") for name in changed)


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--low-rank", 2)])
def test_decoder_alone_leaves_the_latents_as_they_were(two_patients, tiny_bundle, tmp_path, more):
    succeed(*options(two_patients, tmp_path / "mine", "--init", tiny_bundle, "--train", "decoder", *more))
    before, after = read_bundle(tiny_bundle), read_bundle(tmp_path / "mine")
    slices = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(before.encode(slices), after.encode(slices)) and before.scale == after.scale
    old, new = before.autoencoder.state_dict(), after.autoencoder.state_dict()
    changed = {name.partition(".")[0] for name in old if not torch.equal(old[name], new[name])}
    assert "decoder" in changed and changed <= {"decoder", "post_quant_conv"}
    assert after.spacing_mm == before.spacing_mm
    assert all(
        torch.equal(value, after.unet.state_dict()[name])
        for name, value in before.unet.state_dict().items()
    )


@pytest.mark.slow
def test_interrupted_training_ends_in_the_same_bundle(
    both, two_patients, tiny_bundle, tmp_path, monkeypatch
):
    again = options(two_patients, tmp_path / "cut", "--init", tiny_bundle, *BOTH, validate_every=2)

    def killed_after_the_autoencoder(task, *rest):
        if task.name == "unet":
            raise KeyboardInterrupt
        return train(task, *rest)

    monkeypatch.setattr("fine_tune.prior.train", killed_after_the_autoencoder)
    code, _ = fine_tune(*again)
    assert code != 0 and not (tmp_path / "cut").exists()
    monkeypatch.undo()
    succeed(*again)
    whole, cut = read_bundle(both[0]), read_bundle(tmp_path / "cut")
    assert whole.sha256 == cut.sha256 and whole.scale == cut.scale


@pytest.mark.slow
@pytest.mark.parametrize("other", [("--init", "scratch"), ("--low-rank", 2), ("--predict", "velocity")])
def test_checkpoint_is_not_taken_for_another_training(two_patients, tiny_bundle, tmp_path, other):
    out = tmp_path / "mine"
    succeed(*options(two_patients, out, "--init", tiny_bundle, steps=1))
    out.rename(tmp_path / "elsewhere")  # as a kill before the bundle is written
    more = other if "--init" in other else ("--init", tiny_bundle, *other)
    code, output = fine_tune(*options(two_patients, out, *more, steps=1))
    assert code != 0 and not out.exists()
    assert re.search(
        r"unet.pt: written with .*, expected .*; use the same options, weights and data", output
    )


def losses(out):
    events = EventAccumulator(str(out.with_name(out.name + ".training") / "tensorboard" / "unet"))
    events.Reload()
    assert "held out" in events.Tags()["images"]
    return {name: [e.value for e in events.Scalars(name)] for name in ("loss", "held out")}


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--train", "both"), ("--low-rank", 2)])
def test_two_processes_give_the_loss_and_the_weights_of_one(two_patients, tiny_bundle, tmp_path, more):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", port]
    more = ("--init", tiny_bundle, *more)
    succeed(*options(two_patients, tmp_path / "one", *more, validate_every=2))
    command = [sys.executable, *launcher, small_slices.__file__, "fine-tune"]
    command += options(two_patients, tmp_path / "two", *more, validate_every=2)
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": root}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one["loss"]) == 3
    for name in one:
        assert two[name] == pytest.approx(one[name], rel=1e-4)
    states = [read_bundle(tmp_path / name).unet.state_dict() for name in ("one", "two")]
    for name, weight in states[0].items():
        # Stored in half precision.
        torch.testing.assert_close(states[1][name], weight, atol=2e-3, rtol=2e-3)


@pytest.mark.slow
def test_fbp_unet_is_trained_and_says_what_for(two_patients, tmp_path):
    out = tmp_path / "unet"
    output = succeed("fbp-unet", *options(two_patients, out, "--angles", 12, "--sigma", 0.02, steps=2))
    card, method = read_card(out, FBPUNetCard), read_fbp_unet(out)
    assert (card.n_angles, card.sigma, method.n_angles, method.sigma) == (12, 0.02, 12, 0.02)
    merit = card.training["merit_held_out"]
    assert f"{merit:.2f} dB on the held-out slices" in output
    further = tmp_path / "further"
    succeed("fbp-unet", *options(two_patients, further, "--init", out, "--angles", 12, steps=1))
    assert read_card(further, FBPUNetCard).unet == card.unet


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hold-out", "C"], "--hold-out C: found patients A, B"),
        (["--device", "gpu"], "--device gpu: not usable on this machine, expected cpu, or cuda"),
        (["--init", "nowhere"], "--init nowhere: no such file or folder, expected shipped"),
        (["--accumulate", "3"], r"--batch 4: .* expected a multiple of 3"),
    ],
)
def test_what_cannot_be_trained_is_refused(two_patients, tmp_path, tiny_bundle, arguments, message):
    given = options(two_patients, tmp_path / "out")
    if "--init" not in arguments:
        given += ["--init", str(tiny_bundle)]
    code, output = fine_tune(*given, *arguments)
    assert code == 1 and re.search(message, output), output
    assert not (tmp_path / "out").exists()


def test_existing_output_is_left_alone(two_patients, tiny_bundle, tmp_path):
    code, output = fine_tune(*options(two_patients, tmp_path, "--init", tiny_bundle))
    assert code == 1 and f"--out {tmp_path}: exists" in output
    assert list(tmp_path.iterdir()) == []
