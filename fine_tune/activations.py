"""Activation checkpointing: compute a block's inside again in the backward pass, and keep it nowhere."""

from __future__ import annotations

from functools import partial

from monai.networks.nets.autoencoderkl import AEKLResBlock
from monai.networks.nets.diffusion_model_unet import DiffusionUNetResnetBlock, SpatialAttentionBlock
from torch import nn
from torch.utils.checkpoint import checkpoint

_BLOCKS = AEKLResBlock, DiffusionUNetResnetBlock, SpatialAttentionBlock


def recompute_activations(network: nn.Module) -> None:
    """Trade a second forward pass for the memory of every residual and attention block's inside."""
    for module in network.modules():
        if isinstance(module, _BLOCKS):
            module.forward = partial(checkpoint, module.forward, use_reentrant=False)  # type: ignore[method-assign]
