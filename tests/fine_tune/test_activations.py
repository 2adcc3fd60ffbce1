"""Activation checkpointing."""

from __future__ import annotations

import pytest
import torch
from laws import fill_zero_weights

from fine_tune.activations import recompute_activations
from resample_ct.networks.settings import AutoencoderSettings, UNetSettings


def gradients(network, output):
    output.square().mean().backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


def unet():
    torch.manual_seed(0)
    settings = UNetSettings(channels=(8, 8, 8, 8), head_channels=8, norm_groups=4)
    network = fill_zero_weights(settings.build())
    z = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(1))
    return network, lambda: network(z, torch.tensor([5]))


def autoencoder():
    torch.manual_seed(0)
    network = AutoencoderSettings(channels=(8, 8, 8), norm_groups=4).build()
    x = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    return network, lambda: network.decode(network.encode(x)[0])


@pytest.mark.parametrize("make", [unet, autoencoder])
def test_gradients_stay_and_fewer_tensors_are_kept(make):
    kept = []
    results = []
    for recompute in (False, True):
        network, forward = make()
        if recompute:
            recompute_activations(network)
        count = [0]

        def count_bytes(tensor, count=count):
            count[0] += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count_bytes, lambda tensor: tensor):
            output = forward()
        results.append(gradients(network, output))
        kept.append(count[0])
    plain, recomputed = results
    assert plain.keys() == recomputed.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(recomputed[name], gradient)
    assert kept[1] < 0.6 * kept[0]
