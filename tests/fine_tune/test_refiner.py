"""What the refiner learns, and its command."""

from __future__ import annotations

import pydicom
import pytest
import torch
from click.testing import CliRunner
from laws import shepp_like, smooth_phantom
from small_networks import SMALL
from torch import nn

from fine_tune.refiner import RefinerTask
from fine_tune.source import SliceSource
from resample_ct.bundles.bundle import read_card
from resample_ct.bundles.fbp_unet import read_fbp_unet
from resample_ct.bundles.refiner import RefinerCard, read_refiner
from resample_ct.cli import main
from resample_ct.networks.slice_unet import SliceUNet
from resample_ct.reconstruct.cascade import Cascade
from resample_ct.values.units import Window

SLICES = torch.cat([smooth_phantom(256), shepp_like(256)]).clamp(0, 1)


class Answer(nn.Module):
    """Gives the same image whatever it is shown, and remembers what it was."""

    def __init__(self, image):
        super().__init__()
        self.image = nn.Parameter(image)
        self.shown = []

    def forward(self, image):
        self.shown.append(image)
        return self.image.expand_as(image)


@pytest.fixture
def task():
    torch.manual_seed(0)
    first = SliceUNet(SMALL.build().eval(), Window(), "first", "abc", 25, 0.01)
    items = [{"image": s, "next": s} for s in SLICES]
    return RefinerTask(SliceSource(items, torch.ones(2)), SLICES, first)


def batches(task, count=12):
    return [task.batch(2, torch.Generator().manual_seed(seed)) for seed in range(count)]


def test_batch_depends_on_its_generator_alone(task):
    first, again = (task.batch(2, torch.Generator().manual_seed(1)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_every_number_of_rounds_is_drawn(task):
    assert {int(rounds[0]) for _, _, rounds, _ in batches(task, 24)} == {0, 1, 2, 3}


def test_network_is_shown_its_own_result_made_consistent(task):
    for sinogram, image, rounds, slices in batches(task, 4):
        network = Answer(slices)
        assert task.loss(network, sinogram, image, rounds, slices).item() == 0.0
        assert len(network.shown) == int(rounds[0]) + 1
        assert torch.equal(network.shown[0], image)
        for shown in network.shown[1:]:
            assert float((shown - slices).square().mean()) < float((image - slices).square().mean())


def test_loss_follows_the_network_but_not_the_rounds_before(task):
    sinogram, image, _, slices = task.batch(2, torch.Generator().manual_seed(0))
    network = Answer(slices + 0.1)
    task.loss(network, sinogram, image, torch.tensor([1, 1]), slices).backward()
    assert torch.allclose(network.image.grad, torch.full_like(slices, 1e4 * 0.2 / slices.numel()))


def test_validation_is_after_two_rounds_on_the_held_out_slices(task):
    knows, guesses = Answer(SLICES), Answer(torch.full_like(SLICES, 0.3))
    assert task.validate(knows) > task.validate(guesses) + 10
    assert len(knows.shown) == 2
    assert task.picture(knows).shape == (512, 768)


@pytest.mark.slow
@pytest.mark.usefixtures("small_slices")
def test_refiner_is_trained_behind_fbp_unet_and_trained_further(tmp_path, sample_series):
    for patient, index in (("A", 10), ("B", 20)):
        (tmp_path / "studies" / patient).mkdir(parents=True)
        dataset = pydicom.dcmread(sample_series / f"1-{index:02d}.dcm")
        dataset.PatientID, dataset.SeriesInstanceUID = patient, f"1.2.3.{ord(patient)}"
        dataset.save_as(tmp_path / "studies" / patient / f"{index}.dcm")
    common = ["fine-tune", "refiner", "--data", tmp_path / "studies", "--hold-out", "B", "--steps", 1]
    for init, out in (("scratch", "one"), (tmp_path / "one", "two"), ("shipped", "three")):
        command = [*common, "--batch", 2, "--init", init, "--out", tmp_path / out]
        command += ["--bundle-version", "2.1", "--name", out]
        result = CliRunner().invoke(main, [str(argument) for argument in command])
        assert result.exit_code == 0, result.output
    assert read_card(tmp_path / "two", RefinerCard).training["init"] == str(tmp_path / "one")
    assert Cascade(read_fbp_unet(), read_refiner(tmp_path / "two")).rounds > 0
    # One step of the default rate from the shipped weights leaves them nearly as they were.
    before, after = (read_refiner(of).network.state_dict() for of in (None, tmp_path / "three"))
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=1e-2, atol=1e-3)
    assert read_card(tmp_path / "three", RefinerCard).training["init"] == "shipped"
    second = read_card(tmp_path / "two", RefinerCard)
    assert (second.version, second.training["from"]["name"]) == ("2.1", "one")
    assert "from" not in second.training["from"]["training"]
