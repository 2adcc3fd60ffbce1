"""The comparison methods' networks on disk: read is what was written; those that ship work."""

from __future__ import annotations

import cards
import pytest
import torch

from resample_ct.bundles.bundle import half_precision, write_bundle
from resample_ct.bundles.denoiser import DnCNNCard, UNetDenoiserCard, read_unet_denoiser
from resample_ct.bundles.kinds import BUNDLES
from resample_ct.bundles.pixel_prior import PixelPriorCard, read_pixel_prior
from resample_ct.errors import PriorError
from resample_ct.metrics import psnr
from resample_ct.networks.denoiser import DnCNNSettings
from resample_ct.networks.pixel_unet import PixelUNetSettings
from resample_ct.networks.residual_unet import ResidualUNetSettings
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.classical import FBP
from resample_ct.reconstruct.dds import DDS
from resample_ct.run.simulate import method_generators
from resample_ct.values.units import Window

STATED = cards.STATED | {"name": "small", "window_hu": (-1000.0, 1500.0)}
TINY_PIXEL = PixelUNetSettings(channels=(8, 8, 8, 8), head_channels=8, norm_groups=4)
DENOISERS = [
    (DnCNNCard, DnCNNSettings(4, 8)),
    (UNetDenoiserCard, ResidualUNetSettings((8, 8, 8, 8, 8), 4)),
]


def same_weights(found, network):
    return all(
        torch.equal(found.state_dict()[name], value.half().float())
        for name, value in network.state_dict().items()
    )


def test_pixel_prior_read_is_what_was_written(tmp_path):
    network = TINY_PIXEL.build()
    card = PixelPriorCard(**STATED, unet=TINY_PIXEL)
    write_bundle(tmp_path / "b", card, {"unet": half_precision(network)})
    prior = read_pixel_prior(tmp_path / "b")
    assert (prior.name, prior.window, len(prior.sha256)) == ("small", Window(-1000, 1500), 64)
    assert same_weights(prior.unet, network)


@pytest.mark.parametrize("kind, settings", DENOISERS)
def test_denoiser_read_is_what_was_written(tmp_path, kind, settings):
    network = settings.build()
    card = kind(**STATED, denoiser=settings, sigma=0.03)
    write_bundle(tmp_path / "b", card, {"denoiser": half_precision(network)})
    found = BUNDLES[kind.option].read(tmp_path / "b")
    assert (found.name, found.window, found.sigma) == ("small", Window(-1000, 1500), 0.03)
    assert same_weights(found.network, network)


def test_one_kind_is_refused_for_another(tmp_path):
    card = DnCNNCard(**STATED, denoiser=DnCNNSettings(4, 8), sigma=0.03)
    write_bundle(tmp_path / "b", card, {"denoiser": half_precision(DnCNNSettings(4, 8).build())})
    with pytest.raises(PriorError, match="dncnn"):
        read_unet_denoiser(tmp_path / "b")
    with pytest.raises(PriorError, match="dncnn"):
        read_pixel_prior(tmp_path / "b")


def test_shipped_denoisers_are_read_and_do_what_they_were_trained_for(real_slice):
    noise = torch.randn(real_slice.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for kind in (DnCNNCard, UNetDenoiserCard):
            denoiser = BUNDLES[kind.option].read()
            noisy = real_slice + denoiser.sigma * noise
            assert float(psnr(denoiser.network(noisy), real_slice)) > float(psnr(noisy, real_slice)) + 7.0


def test_shipped_pixel_prior_takes_the_noise_away(real_slice):
    """Of a slice under noise of a third of the range, more than 8 dB; and of noise alone, most."""
    prior = read_pixel_prior()
    noise = torch.randn(real_slice.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for t, gain in ((300, 8.0), (700, 16.0)):
            noisy = prior.schedule.add_noise(prior.encode(real_slice), noise, torch.tensor([t]))
            shown = prior.decode(noisy / float(prior.schedule.alpha_bar[t]) ** 0.5)
            clean = prior.decode(prior.tweedie(noisy, t)).clamp(0, 1)
            assert float(psnr(clean, real_slice)) > float(psnr(shown, real_slice)) + gain


@pytest.mark.slow
def test_dds_with_it_is_well_above_filtered_back_projection(real_slice):
    projector = make_projector(ParallelBeam.uniform(256, 25))
    clean = projector(real_slice)
    noise = 0.01 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    measurement = Measurement(projector, clean + noise, torch.full((1,), 1e-4))
    fbp, dds = (
        float(psnr(method(measurement, method_generators(0, [0])).x.clamp(0, 1), real_slice))
        for method in (FBP(), DDS(read_pixel_prior()))
    )
    assert dds > fbp + 4.0
