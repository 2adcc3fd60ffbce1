"""The latent UNet's task, on whatever device its prior is."""

from __future__ import annotations

import torch
from laws import shepp_like

from fine_tune.source import SliceSource
from fine_tune.unet import UNetTask
from resample_ct.networks.settings import AutoencoderSettings, UNetSettings
from resample_ct.prior.latent import LatentPrior
from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.values.units import Window


def test_slices_are_encoded_where_the_autoencoder_is():
    with torch.device("meta"):  # stands for a GPU: a tensor of the CPU does not mix with it
        autoencoder = AutoencoderSettings(channels=(16, 16, 16)).build()
        unet = UNetSettings(channels=(32, 32), attention_levels=(False, False)).build()
    prior = LatentPrior(autoencoder, unet, 1.0, NoiseSchedule(), Window(), "meta", "")
    slices = shepp_like(256)
    task = UNetTask(SliceSource([{"image": slices[0], "next": slices[0]}], torch.ones(1)), slices, prior)
    images, times, noise = task.batch(2, torch.Generator().manual_seed(0))
    assert not images.is_meta
    loss = task.loss(unet, images, times.to("meta"), noise.to("meta"))
    assert loss.is_meta and loss.shape == ()
