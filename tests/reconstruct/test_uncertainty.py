"""The spread of the samples as the error to expect."""

from __future__ import annotations

import pytest
import torch

from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.classical import FBP
from resample_ct.reconstruct.resample import ReSample
from resample_ct.reconstruct.resample_settings import settings_from
from resample_ct.reconstruct.uncertainty import HasSpread, expected_error, spread_terms
from resample_ct.run.simulate import method_generators

QUICK = ["steps=2", "pixel=piccs:0.5,2", "final=piccs:0.5,2", "start_estimate=tv"]


def noisy_samples(sigma, count=3):
    generator = torch.Generator().manual_seed(0)
    image = torch.full((2, 1, 64, 64), 0.5)
    return image, image + sigma * torch.randn(count, *image.shape, generator=generator)


@pytest.mark.parametrize("sigma", [0.01, 0.05])
def test_variance_term_is_that_of_the_samples(sigma):
    image, samples = noisy_samples(sigma)
    variance, _ = spread_terms(samples, image)
    assert variance.shape == image.shape
    assert float(variance.mean()) == pytest.approx(sigma**2, rel=0.03)
    # Three samples alone would vary by their own size from pixel to pixel.
    assert float(variance.std() / variance.mean()) < 0.3


def test_distance_term_is_that_of_the_mean_to_the_result():
    image, _ = noisy_samples(0.0)
    _, distance = spread_terms(torch.stack([image + 0.1, image + 0.3]), image)
    assert torch.allclose(distance, torch.full_like(image, 0.04))


def test_pixel_that_the_samples_disagree_on_is_the_least_sure():
    image, samples = noisy_samples(0.01)
    samples[0, :, :, 20, 30] += 0.5
    error = expected_error(samples, image)
    assert [divmod(int(i), 64) for i in error.flatten(1).argmax(dim=1)] == [(20, 30)] * 2
    assert bool((error > 0).all())


def test_no_error_is_wider_than_the_window():
    image, _ = noisy_samples(0.0)
    error = expected_error(torch.stack([image - 5.0, image + 5.0]), image)
    assert bool((error == 1.0).all())


def test_flat_neighbours_stay_as_they_are_up_to_the_border():
    image, _ = noisy_samples(0.0)
    variance, _ = spread_terms(torch.stack([image - 0.1, image + 0.1]), image)
    assert torch.allclose(variance, torch.full_like(image, 0.02))


@pytest.fixture
def measurement(real_slice):
    operator = make_projector(ParallelBeam.uniform(256, 8))
    return Measurement(operator, operator(real_slice), torch.full((1,), 1e-4))


def test_resample_says_how_sure_it_is_of_the_same_image(tiny_prior, measurement):
    method = ReSample(tiny_prior, settings_from("fast", [*QUICK, "samples=2"]))
    assert isinstance(method, HasSpread)
    found, spread = method.with_spread(measurement, method_generators(0, [0]))
    assert torch.equal(found.x, method(measurement, method_generators(0, [0])).x)
    assert spread is not None and spread.shape == found.x.shape and bool((spread > 0).all())


def test_one_sample_has_no_spread(tiny_prior, measurement):
    method = ReSample(tiny_prior, settings_from("fast", QUICK))
    assert method.with_spread(measurement, method_generators(0, [0]))[1] is None


def test_classical_method_has_none():
    assert not isinstance(FBP(), HasSpread)
