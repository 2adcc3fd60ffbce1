"""The latent prior of small networks: shapes, scale and independence of the batch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from laws import assert_batch_is_loop

from resample_ct.errors import PriorError
from resample_ct.networks.settings import AutoencoderSettings, UNetSettings, VQAutoencoderSettings


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture
def images(real_slice):
    return torch.cat([real_slice, real_slice.flip(-1)])


def test_latents_have_a_quarter_of_the_side(tiny_prior, images):
    latent = tiny_prior.encode(images)
    assert latent.shape == (2, 4, 64, 64)
    assert tiny_prior.decode(latent).shape == images.shape
    assert tiny_prior.predict_noise(latent, 10).shape == latent.shape


def test_encoding_is_deterministic(tiny_prior, images):
    assert torch.equal(tiny_prior.encode(images), tiny_prior.encode(images))


def test_scale_divides_latents_and_leaves_images(tiny_prior, images):
    scaled = replace(tiny_prior, scale=4.0)
    latent = tiny_prior.encode(images)
    torch.testing.assert_close(scaled.encode(images), latent / 4)
    torch.testing.assert_close(scaled.decode(latent / 4), tiny_prior.decode(latent))


def test_networks_see_minus_one_to_one(tiny_prior, images):
    expected = tiny_prior.autoencoder.encode(2 * images - 1)[0]
    assert torch.equal(tiny_prior.encode(images), expected)


def test_slice_does_not_depend_on_its_batch(tiny_prior, images):
    """To rounding: a convolution may be computed in another way for another batch and thread count."""
    latent = tiny_prior.encode(images)
    assert_batch_is_loop(tiny_prior.encode, images, 1e-3)
    assert_batch_is_loop(tiny_prior.decode, latent, 1e-3)
    assert_batch_is_loop(lambda z: tiny_prior.predict_noise(z, 500), latent, 1e-3)


def test_predicted_noise_depends_on_the_time(tiny_prior, images):
    latent = tiny_prior.encode(images)
    assert not torch.allclose(tiny_prior.predict_noise(latent, 10), tiny_prior.predict_noise(latent, 900))


def test_gradient_flows_through_the_decoder_but_not_into_its_weights(tiny_prior):
    with torch.enable_grad():
        z = torch.zeros(1, 4, 64, 64, requires_grad=True)
        (gradient,) = torch.autograd.grad(tiny_prior.decode(z).square().sum(), z)
    assert gradient.abs().sum() > 0
    assert not any(p.requires_grad for p in tiny_prior.autoencoder.parameters())


def test_settings_rebuild_networks_of_the_same_weights():
    for settings in (
        AutoencoderSettings((8, 8, 8), norm_groups=4),
        UNetSettings((8,) * 4, head_channels=8, norm_groups=4),
    ):
        settings.build().load_state_dict(settings.build().state_dict())


@pytest.fixture
def colour_prior(tiny_prior):
    """Three image channels and a codebook."""
    torch.manual_seed(0)
    settings = VQAutoencoderSettings(channels=(8, 8, 8), codes=16, num_res_blocks=1, norm_groups=4)
    autoencoder = settings.build().eval().requires_grad_(False)
    autoencoder.codebook.normal_()
    return replace(tiny_prior, autoencoder=autoencoder, image_channels=3)


def test_colour_model_sees_the_slice_in_each_channel_and_gives_their_mean(colour_prior):
    image = torch.rand(2, 1, 32, 32)
    latent = colour_prior.encode(image)
    expected = colour_prior.autoencoder.encode((2 * image - 1).repeat(1, 3, 1, 1))[0]
    torch.testing.assert_close(latent, expected)
    decoded = (colour_prior.autoencoder.decode(latent).mean(dim=1, keepdim=True) + 1) / 2
    torch.testing.assert_close(colour_prior.decode(latent), decoded)


def test_decoder_quantises_only_where_it_is_asked_to(colour_prior):
    latent = torch.randn(1, 3, 8, 8)
    codes = colour_prior.autoencoder.quantise(latent).latent
    smooth = replace(colour_prior, quantise=False)
    torch.testing.assert_close(colour_prior.decode(latent), smooth.decode(codes))
    assert not torch.allclose(colour_prior.decode(latent), smooth.decode(latent))


def test_slices_of_another_size_are_refused(tiny_prior):
    with pytest.raises(PriorError, match=r"prior tiny: trained on 256 x 256 slices, expected 512 x 512"):
        tiny_prior.notes_on(512, 1.0)


@pytest.mark.parametrize(
    "spacing, noted", [(0.5, True), (0.8, False), (1.5, False), (2.6, False), (3.0, True)]
)
def test_pixels_far_from_those_trained_on_are_noted(tiny_prior, spacing, noted):
    notes = replace(tiny_prior, spacing_mm=(1.0, 2.0)).notes_on(256, spacing)
    assert bool(notes) == noted
    assert all("trained on pixels of 1 to 2 mm" in note for note in notes)
    assert tiny_prior.notes_on(256, spacing) == []


def test_bfloat16_rounds_inside_the_networks_and_nothing_else(tiny_prior, images):
    rounded = replace(tiny_prior, precision="bfloat16")
    latent = tiny_prior.encode(images)
    for exact, found in (
        (latent, rounded.encode(images)),
        (tiny_prior.decode(latent), rounded.decode(latent)),
        (tiny_prior.predict_noise(latent, 10), rounded.predict_noise(latent, 10)),
    ):
        assert found.dtype == torch.float32 and not torch.equal(found, exact)
        assert (found - exact).norm() < 0.1 * exact.norm()


def test_bfloat16_leaves_a_gradient_in_single_precision(tiny_prior, images):
    rounded = replace(tiny_prior, precision="bfloat16")
    with torch.enable_grad():
        latent = tiny_prior.encode(images).requires_grad_(True)
        (exact,) = torch.autograd.grad(tiny_prior.decode(latent).square().sum(), latent)
        (found,) = torch.autograd.grad(rounded.decode(latent).square().sum(), latent)
    assert found.dtype == torch.float32
    assert (found - exact).norm() < 0.1 * exact.norm()


@pytest.mark.parametrize("prediction", ["velocity", "clean"])
def test_a_prediction_is_turned_into_the_noise_it_says(tiny_prior, images, prediction):
    latent = tiny_prior.encode(images)
    predicted = tiny_prior.predict_noise(latent, 700)
    noise = replace(tiny_prior, prediction=prediction).predict_noise(latent, 700)
    a = float(tiny_prior.schedule.alpha_bar[700])
    expected = {
        "velocity": a**0.5 * predicted + (1 - a) ** 0.5 * latent,
        "clean": (latent - a**0.5 * predicted) / (1 - a) ** 0.5,
    }
    torch.testing.assert_close(noise, expected[prediction])
