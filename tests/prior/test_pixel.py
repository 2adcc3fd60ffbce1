"""The prior on pixels: range, shapes and independence of the batch."""

from __future__ import annotations

import pytest
import torch
from laws import assert_batch_is_loop, fill_zero_weights

from resample_ct.networks.pixel_unet import PixelUNetSettings
from resample_ct.prior.pixel import PixelPrior
from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.values.units import Window

TINY = PixelUNetSettings(channels=(8, 8, 8, 8), head_channels=8, norm_groups=4)


@pytest.fixture
def prior():
    torch.manual_seed(0)
    network = fill_zero_weights(TINY.build()).eval().requires_grad_(False)
    return PixelPrior(network, NoiseSchedule(), Window(), "tiny", "")


@pytest.fixture
def noisy():
    return torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))


def test_noise_has_the_shape_of_the_image_and_depends_on_the_time(prior, noisy):
    early, late = prior.predict_noise(noisy, 10), prior.predict_noise(noisy, 900)
    assert early.shape == noisy.shape and not torch.allclose(early, late)


def test_colour_images_have_their_own_channels(noisy):
    settings = PixelUNetSettings(image_channels=3, channels=(8, 8, 8, 8), head_channels=8, norm_groups=4)
    network = settings.build()
    assert network(noisy.expand(2, 3, 64, 64), torch.tensor([5, 5])).shape == (2, 3, 64, 64)


def test_decoding_undoes_encoding_and_air_is_minus_one(prior):
    image = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(prior.decode(prior.encode(image)), image)
    assert torch.equal(prior.encode(torch.zeros(1)), torch.tensor([-1.0]))


def test_tweedie_takes_the_predicted_noise_away(prior, noisy):
    a = float(prior.schedule.alpha_bar[400])
    again = a**0.5 * prior.tweedie(noisy, 400) + (1 - a) ** 0.5 * prior.predict_noise(noisy, 400)
    torch.testing.assert_close(again, noisy, rtol=1e-4, atol=1e-4)


def test_slice_does_not_depend_on_its_batch(prior, noisy):
    assert_batch_is_loop(lambda x: prior.predict_noise(x, 500), noisy, 1e-3)


def test_gradient_reaches_the_image(prior, noisy):
    noisy.requires_grad_(True)
    (gradient,) = torch.autograd.grad(prior.tweedie(noisy, 500).square().sum(), noisy)
    assert gradient.abs().sum() > 0


def test_settings_rebuild_a_network_of_the_same_weights():
    TINY.build().load_state_dict(TINY.build().state_dict())
