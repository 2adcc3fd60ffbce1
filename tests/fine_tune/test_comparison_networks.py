"""Training of the comparison methods' networks: batches, losses, and a bundle at the end."""

from __future__ import annotations

import pydicom
import pytest
import torch
from cards import STATED
from click.testing import CliRunner
from laws import shepp_like, smooth_phantom
from torch import nn

from fine_tune.denoiser import DenoiserTask
from fine_tune.pixel import PixelTask, begin_pixel_prior
from fine_tune.source import SliceSource
from resample_ct.bundles.bundle import read_card
from resample_ct.bundles.card import LatentPriorCard
from resample_ct.bundles.denoiser import DnCNNCard, UNetDenoiserCard
from resample_ct.bundles.kinds import BUNDLES
from resample_ct.bundles.pixel_prior import PixelPriorCard, read_pixel_prior
from resample_ct.cli import main
from resample_ct.networks.settings import AutoencoderSettings, UNetSettings

SLICES = torch.cat([smooth_phantom(256), shepp_like(256)]).clamp(0, 1)


@pytest.fixture
def source():
    items = [{"image": s, "next": s} for s in SLICES]
    return SliceSource(items, torch.ones(2))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Constant(nn.Module):
    """Gives the same number for every pixel."""

    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, image, times=None):
        return torch.zeros_like(image) + self.value


class Oracle(nn.Module):
    """Knows the clean slice."""

    def __init__(self, clean):
        super().__init__()
        self.clean = clean
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, noisy, times):
        return (2 * self.clean - 1).expand_as(noisy)


def test_batches_depend_on_their_generator_alone(source):
    for task in (PixelTask(source, SLICES), DenoiserTask(source, SLICES, 0.05)):
        first, again, other = (task.batch(2, generator(seed)) for seed in (1, 1, 2))
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        assert not torch.equal(first[0], other[0])


def test_pixel_times_are_stratified_over_the_whole_schedule(source):
    _, times, _ = PixelTask(source, SLICES).batch(8, generator())
    assert [int(t) // 125 for t in times] == list(range(8))


@torch.no_grad()
def test_pixel_loss_is_zero_for_who_knows_the_slice(source):
    task = PixelTask(source, SLICES)
    slices, times, noise = task.batch(4, generator())
    assert float(task.loss(Oracle(slices), slices, times, noise)) < 1e-4
    assert float(task.loss(Constant(0.0), slices, times, noise)) > 0.1
    one = PixelTask(source, SLICES[:1])
    assert one.validate(Oracle(SLICES[:1])) > -1e-4 > one.validate(Constant(0.0))


@torch.no_grad()
def test_denoiser_sees_noise_of_its_sigma_and_is_judged_on_the_slice(source):
    task = DenoiserTask(source, SLICES, 0.1, crop=128)
    noisy, clean = task.batch(4, generator())
    assert clean.shape == (4, 1, 128, 128)
    assert float((noisy - clean).std()) == pytest.approx(0.1, rel=0.02)
    identity = nn.Conv2d(1, 1, 1)
    nn.init.ones_(identity.weight)
    nn.init.zeros_(identity.bias)
    assert float(task.loss(identity, noisy, clean)) == pytest.approx(100.0, rel=0.05)  # 10 % squared
    assert task.picture(identity).shape == (512, 768)
    assert 20 < task.validate(identity) < 26  # 20 dB, and more because air is clipped


@pytest.fixture
def two_patients(tmp_path, sample_series):
    root = tmp_path / "studies"
    for patient, index in (("A", 10), ("B", 20)):
        (root / patient).mkdir(parents=True)
        dataset = pydicom.dcmread(sample_series / f"1-{index:02d}.dcm")
        dataset.PatientID = patient
        dataset.SeriesInstanceUID = f"1.2.3.{ord(patient)}"
        dataset.save_as(root / patient / f"{index}.dcm")
    return root


def fine_tune(command, data, out, *more):
    arguments = ["--data", data, "--out", out, "--hold-out", "B", "--steps", 1, "--batch", 2, *more]
    result = CliRunner().invoke(main, ["fine-tune", command, *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
@pytest.mark.usefixtures("small_slices")
def test_pixel_prior_is_trained_and_trained_further(two_patients, tmp_path):
    output = fine_tune("pixel", two_patients, tmp_path / "one")
    assert "on the held-out slices" in output
    assert read_pixel_prior(tmp_path / "one").unet is not None
    fine_tune("pixel", two_patients, tmp_path / "two", "--init", tmp_path / "one")
    card = read_card(tmp_path / "two", PixelPriorCard)
    assert card.training["init"] == str(tmp_path / "one") and card.training["patients"] == ["A"]
    latent = LatentPriorCard.shipped()
    fine_tune("pixel", two_patients, tmp_path / "three", "--init", latent)
    assert read_card(tmp_path / "three", PixelPriorCard).training["init"] == str(latent)


def test_pixel_prior_begins_at_a_latent_priors_inner_layers():
    latent = LatentPriorCard(
        **STATED,
        autoencoder=AutoencoderSettings(),
        unet=UNetSettings(channels=(32, 64), attention_levels=(False, True)),
        latent_scale=1.0,
        window_hu=(-900.0, 1500.0),
    )
    network = latent.unet.build()
    nn.init.normal_(network.out[2].conv.weight)
    empty = PixelPriorCard(**STATED)
    card, begun = begin_pixel_prior(empty, latent, network)
    assert card.unet.channels == (32, 64) and card.window_hu == (-900.0, 1500.0)
    ours, theirs = begun.unet.state_dict(), network.state_dict()
    other = {name for name in ours if ours[name].shape != theirs[name].shape}
    assert other == {"conv_in.conv.weight", "out.2.conv.weight", "out.2.conv.bias"}
    inner = [name for name in ours if not name.startswith(("conv_in", "out.2"))]
    assert len(inner) > 50 and all(torch.equal(ours[name], theirs[name]) for name in inner)
    assert not begun(torch.randn(1, 1, 32, 32), torch.tensor([500])).any()  # the last layer is new


@pytest.mark.slow
@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("network, kind", [("dncnn", DnCNNCard), ("unet", UNetDenoiserCard)])
def test_denoiser_is_trained_for_a_noise(two_patients, tmp_path, network, kind):
    fine_tune("denoiser", two_patients, tmp_path / "b", "--network", network, "--sigma", 0.03)
    assert BUNDLES[kind.option].read(tmp_path / "b").sigma == 0.03
