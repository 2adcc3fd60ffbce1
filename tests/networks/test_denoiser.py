"""Denoisers: the published layout of DnCNN, and both as functions of one image."""

from __future__ import annotations

import pytest
import torch
from laws import assert_batch_is_loop
from torch import nn

from resample_ct.networks.denoiser import DnCNNSettings
from resample_ct.networks.residual_unet import ResidualUNetSettings

SMALL = [
    DnCNNSettings(depth=4, features=8),
    ResidualUNetSettings((8, 8, 8, 8, 8), 4),
]


@pytest.fixture
def images():
    return torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def test_dncnn_has_the_published_layers():
    network = DnCNNSettings(features=64).build()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 17 and {c.kernel_size for c in convolutions} == {(3, 3)}
    assert [c.out_channels for c in convolutions] == [64] * 16 + [1]
    assert sum(isinstance(m, nn.ReLU) for m in network.modules()) == 16


def test_untrained_dncnn_leaves_the_image_nearly_as_it_is(images):
    with torch.no_grad():
        assert float((DnCNNSettings().build()(images) - images).abs().max()) < 0.1


@pytest.mark.parametrize("settings", SMALL, ids=lambda s: type(s).__name__)
def test_denoised_image_has_the_images_shape_and_no_part_in_its_batch(settings, images):
    torch.manual_seed(0)
    network = settings.build().eval().requires_grad_(False)
    assert network(images).shape == images.shape
    assert_batch_is_loop(network, images, 1e-4)
