"""Noise against its theory, by Monte Carlo."""

from __future__ import annotations

import math
import re

import pytest
import torch

from resample_ct.errors import OptionError
from resample_ct.physics.noise import (
    MU_WATER_PER_MM,
    GaussianNoise,
    NoNoise,
    PoissonNoise,
    attenuation_per_unit,
    parse_noise,
)
from resample_ct.values.units import Window

DRAWS = (1, 1, 200, 500)
FEW = 5 / math.sqrt(DRAWS[2] * DRAWS[3])  # five standard errors of a mean, in standard deviations


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def deviations(model, value):
    """Mean error, its variance, and the variance that the model states, of many equal rays."""
    clean = torch.full(DRAWS, value)
    error = (model.apply(clean, generators(0)) - clean).double()
    return float(error.mean()), float(error.var()), float(model.variance(clean).mean())


def test_gaussian_has_its_standard_deviation():
    mean, variance, stated = deviations(GaussianNoise(0.3), 20.0)
    assert stated == pytest.approx(0.09)
    assert abs(mean) < FEW * 0.3
    assert variance == pytest.approx(0.09, rel=FEW * math.sqrt(2))


def test_relative_gaussian_is_a_share_of_each_slices_maximum():
    clean = torch.cat([torch.full(DRAWS, 10.0), torch.full(DRAWS, 40.0)])
    model = GaussianNoise(0.01, relative=True)
    error = model.apply(clean, generators(0, 1)) - clean
    torch.testing.assert_close(error.std(dim=(1, 2, 3)), torch.tensor([0.1, 0.4]), rtol=0.02, atol=0)
    torch.testing.assert_close(model.variance(clean)[:, 0, 0, 0], torch.tensor([0.01, 0.16]))


def test_poisson_has_its_mean_and_variance():
    photons, unit, value = 1e4, 0.04, 25.0
    counts = photons * math.exp(-value * unit)
    mean, variance, stated = deviations(PoissonNoise(photons, unit), value)
    theory = 1 / (counts * unit**2)
    assert stated == pytest.approx(theory, rel=1e-4)
    assert variance == pytest.approx(theory, rel=0.03)
    # E[-ln(counts)] is above -ln(E[counts]) by half the relative variance.
    assert abs(mean - 0.5 / counts / unit) < FEW * math.sqrt(theory)


def test_poisson_without_a_photon_left_counts_one():
    model = PoissonNoise(100.0, 1.0)
    noisy = model.apply(torch.full((1, 1, 2, 2), 80.0), generators(0))
    torch.testing.assert_close(noisy, torch.full_like(noisy, math.log(100.0)))


@pytest.mark.parametrize(
    "model", [GaussianNoise(0.1), GaussianNoise(0.01, True), PoissonNoise(1e5, 0.04)]
)
def test_noise_of_a_slice_does_not_depend_on_its_batch(model):
    clean = torch.rand(3, 1, 4, 5, generator=torch.Generator().manual_seed(9)) * 30
    together = model.apply(clean, generators(5, 6, 7))
    assert torch.equal(together[1:2], model.apply(clean[1:2], generators(6)))


@pytest.mark.parametrize("model", [GaussianNoise(0.1), PoissonNoise(1e5, 0.04)])
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_every_slice_needs_one_generator(model, seeds):
    with pytest.raises(ValueError, match="zip"):
        model.apply(torch.zeros(2, 1, 4, 5), generators(*seeds))


def test_no_noise_changes_nothing():
    clean = torch.rand(2, 1, 4, 5)
    assert torch.equal(NoNoise().apply(clean, generators(0, 1)), clean)
    assert not NoNoise().variance(clean).any()


def test_a_unit_is_waters_attenuation_of_the_windows_width_over_a_pixel():
    assert attenuation_per_unit(0.7, Window()) == pytest.approx(3 * MU_WATER_PER_MM * 0.7)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("none", NoNoise()),
        ("gaussian:0.01", GaussianNoise(0.01)),
        ("gaussian:1%", GaussianNoise(0.01, relative=True)),
        ("poisson:1e5", PoissonNoise(1e5, attenuation_per_unit(0.5, Window()))),
        ("poisson:1e5:10", PoissonNoise(1e5, attenuation_per_unit(0.5, Window()), 10.0)),
    ],
)
def test_noise_is_parsed(text, expected):
    assert parse_noise(text, 0.5, Window()) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gaussian",
        "gaussian:",
        "gaussian:x",
        "gaussian:0",
        "gaussian:-1",
        "gaussian:nan",
        "gaussian:inf",
        "gaussian:%",
        "gaussian:0%",
        "poisson:1%",
        "poisson:-5",
        "poisson:1e5:",
        "poisson:1e5:-1",
        "poisson:1e5:1:1",
        "gaussian:1:1",
        "none:1",
        "uniform:1",
        "Gaussian:1",
    ],
)
def test_what_is_no_noise_is_refused(text):
    with pytest.raises(OptionError, match=re.escape(f"--noise {text}: not understood")):
        parse_noise(text, 0.5, Window())


def test_photons_need_a_window_that_starts_at_air():
    with pytest.raises(OptionError, match=r"found -500\.0 to 500\.0, expected one from -1000"):
        parse_noise("poisson:1e5", 0.5, Window(-500.0, 500.0))


def test_electronic_noise_adds_its_variance():
    clean = torch.full((1, 1, 100, 200), 20.0)
    model = PoissonNoise(1e4, 0.1, electronic=50.0)
    noisy = model.apply(clean, [torch.Generator().manual_seed(0)])
    expected = model.variance(clean)[0, 0, 0, 0]
    assert expected > 1.5 * PoissonNoise(1e4, 0.1).variance(clean)[0, 0, 0, 0]
    # 20,000 rays know their variance to 1 %; the logarithm bends it by about 3 %.
    torch.testing.assert_close(noisy.var(), expected, rtol=0.08, atol=0)
