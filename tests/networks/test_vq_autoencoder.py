"""The VQ autoencoder: shapes, the codebook, and what flows back through it."""

from __future__ import annotations

import pytest
import torch

from resample_ct.networks import vq_autoencoder
from resample_ct.networks.settings import VQAutoencoderSettings

SETTINGS = VQAutoencoderSettings(
    channels=(8, 8, 16), latent_channels=5, code_channels=3, codes=32, image_channels=1, norm_groups=4
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = SETTINGS.build()
    torch.nn.init.normal_(model.codebook)
    return model.eval()


@pytest.fixture
def latent():
    return torch.randn(2, 3, 6, 4, generator=torch.Generator().manual_seed(1))


def test_latents_have_a_quarter_of_the_side(model):
    image = torch.zeros(2, 1, 32, 16)
    latent, spread = model.encode(image)
    assert latent.shape == (2, 3, 8, 4)
    assert torch.equal(spread, torch.zeros_like(latent))
    assert model.decode(latent).shape == image.shape


def test_each_vector_moves_to_its_nearest_code(model, latent):
    quantised = model.quantise(latent)
    distance = torch.cdist(latent.movedim(1, -1).flatten(0, -2), model.codebook)
    assert torch.equal(quantised.indices.flatten(), distance.argmin(dim=1))
    expected = model.codebook[quantised.indices].movedim(-1, 1)
    torch.testing.assert_close(quantised.latent, expected, atol=1e-6, rtol=0)


def test_quantising_twice_is_quantising_once(model, latent):
    once = model.quantise(latent)
    assert torch.equal(model.quantise(once.latent).indices, once.indices)


def test_lookup_does_not_depend_on_its_chunks(model, latent, monkeypatch):
    whole = model.quantise(latent).indices
    monkeypatch.setattr(vq_autoencoder, "_DISTANCES", 7 * SETTINGS.codes)
    assert torch.equal(model.quantise(latent).indices, whole)


def test_gradient_passes_straight_through_the_quantiser(model, latent):
    latent.requires_grad_()
    weights = torch.rand(latent.shape)
    (gradient,) = torch.autograd.grad((weights * model.quantise(latent).latent).sum(), latent)
    assert torch.equal(gradient, weights)


def test_gradient_of_a_quantised_decode_is_the_decoders_at_the_codes(model, latent):
    latent.requires_grad_()
    (through,) = torch.autograd.grad(model.decode(latent).square().sum(), latent)
    codes = model.quantise(latent).latent.detach().requires_grad_()
    (at_codes,) = torch.autograd.grad(model.decode(codes, quantise=False).square().sum(), codes)
    torch.testing.assert_close(through, at_codes)
    assert through.abs().sum() > 0


def test_loss_commits_the_encoder_and_moves_the_codebook(model, latent):
    latent.requires_grad_()
    quantised = model.quantise(latent)
    codes = model.codebook[quantised.indices].movedim(-1, 1).detach()
    distance = (latent.detach() - codes).square().mean()
    torch.testing.assert_close(quantised.loss, 1.25 * distance)
    by_latent, by_codes = torch.autograd.grad(quantised.loss, [latent, model.codebook])
    torch.testing.assert_close(by_latent, 2 * (latent.detach() - codes) / latent.numel())
    unused = torch.ones(SETTINGS.codes, dtype=torch.bool)
    unused[quantised.indices.flatten()] = False
    assert (by_codes[~unused] != 0).any() and not by_codes[unused].any()


def test_no_loss_at_the_codes(model):
    codes = model.codebook.detach()[:6].T.reshape(1, 3, 3, 2)
    assert model.quantise(codes).loss.item() == pytest.approx(0.0, abs=1e-12)


def test_training_step_reaches_every_parameter(model):
    image = torch.rand(1, 1, 16, 16) * 2 - 1
    output, loss = model(image)
    ((output - image).square().mean() + loss).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_levels_and_attention_must_agree():
    with pytest.raises(ValueError, match="attention_levels: 2 for 3 levels"):
        VQAutoencoderSettings(attention_levels=(True, False)).build()
