"""What networks a CompVis latent diffusion checkpoint holds, by the names and shapes of its tensors.

Two things leave no trace in a shape: how many channels an attention head has, and in which order the
fused q, k, v lie. Both are the released unconditional models' (32, head by head), unless the caller
knows better of the first.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from resample_ct.errors import PriorError
from resample_ct.networks.settings import UNetSettings, VQAutoencoderSettings

UNET = "model.diffusion_model."
FIRST_STAGE = "first_stage_model."
# GroupNorm32 and Normalize have it fixed.
NORM_GROUPS = 32
# num_head_channels by the width of the first level: the released models', and the small one of the same
# layout that a conversion is tried with.
KNOWN_HEAD_CHANNELS = {224: 32, 32: 16}

Tensors = Mapping[str, torch.Tensor]


def refuse(found: str, expected: str) -> PriorError:
    """An error without its file, which the caller names."""
    return PriorError(
        f"{found}, expected {expected}; convert an unconditional LDM-VQ4 checkpoint as released for "
        "FFHQ, CelebA-HQ or LSUN"
    )


def _shape(state: Tensors, name: str) -> tuple[int, ...]:
    if name not in state:
        raise refuse(f"key {name} missing", "the released layout")
    return tuple(state[name].shape)


def _has(state: Tensors, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in state)


def _width(state: Tensors, block: str) -> int:
    """Width of a residual block, from the first tensor of it that the checkpoint has."""
    names = (f"{block}.{name}" for name in ("out_layers.0", "out_layers.3", "norm2", "conv2"))
    sizes = [len(state[f"{name}.bias"]) for name in names if f"{name}.bias" in state]
    if not sizes:
        raise refuse(f"keys {block}.* missing", "the released layout")
    return sizes[0]


def unet_settings(state: Tensors, head_channels: int | None) -> UNetSettings:
    """Width, depth and attention of the noise predictor.

    Without `head_channels` they are those of the known model that is as wide at its first level.

    One missing tensor does not change what is read, so that the caller can name it.

    Raises PriorError (see `refuse`) for a conditional model, or one whose blocks MONAI has not.
    """
    unet = {name.removeprefix(UNET): value for name, value in state.items() if name.startswith(UNET)}
    _refuse_conditional(state)
    latent_channels = _shape(state, f"{UNET}input_blocks.0.0.weight")[1]
    predicted = _shape(state, f"{UNET}out.2.weight")[0]
    if predicted != latent_channels:
        raise refuse(
            f"the UNet takes {latent_channels} channels and predicts {predicted}: it is conditional",
            "as many in as out",
        )
    widths, attention = _levels(unet)
    blocks = {len(level) for level in widths}
    if len(blocks) != 1 or any(len(set(level)) != 1 for level in widths):
        raise refuse(
            f"the UNet's levels have blocks of {widths} channels: built with resblock_updown or "
            "without conv_resample",
            "levels of one width each, with a convolution that halves the size after each but the last",
        )
    channels = tuple(level[0] for level in widths)
    head_channels = head_channels or _known_head_channels(channels[0])
    for width, has in zip(channels, attention, strict=True):
        if has and width % head_channels:
            raise PriorError(
                f"--head-channels {head_channels}: {width} channels with attention, expected a "
                "divisor of them; give the num_head_channels of the model's configuration"
            )
    return UNetSettings(
        channels=channels,
        latent_channels=latent_channels,
        num_res_blocks=blocks.pop(),
        attention_levels=tuple(attention),
        head_channels=head_channels,
        norm_groups=NORM_GROUPS,
    )


def _known_head_channels(first_width: int) -> int:
    if first_width not in KNOWN_HEAD_CHANNELS:
        raise PriorError(
            f"--head-channels: not given, and the UNet's first level has {first_width} channels, "
            f"expected {' or '.join(map(str, KNOWN_HEAD_CHANNELS))} as in the models known here; give "
            "the num_head_channels of the model's configuration to `resample-ct convert`"
        )
    return KNOWN_HEAD_CHANNELS[first_width]


def _refuse_conditional(state: Tensors) -> None:
    for name in state:
        if name.startswith("cond_stage_model.") or "label_emb" in name or "transformer_blocks" in name:
            raise refuse(f"key {name}: the model is conditional", "an unconditional one")


def _levels(unet: Tensors) -> tuple[list[list[int]], list[bool]]:
    """Channels of each residual block on the way down, level by level, and which levels attend."""
    widths: list[list[int]] = [[]]
    attention = [False]
    last = max(int(name.split(".")[1]) for name in unet if name.startswith("input_blocks."))
    for index in range(1, last + 1):
        block = f"input_blocks.{index}"
        if _has(unet, f"{block}.0.op."):
            widths.append([])
            attention.append(False)
            continue
        width = _width(unet, f"{block}.0")
        embedding = unet.get(f"{block}.0.emb_layers.1.weight")
        if embedding is not None and len(embedding) == 2 * width:
            raise refuse(
                f"key {UNET}{block}.0.emb_layers.1.weight has twice its block's {width} channels: built "
                "with use_scale_shift_norm",
                "a plain time embedding",
            )
        widths[-1].append(width)
        attention[-1] |= _has(unet, f"{block}.1.")
    return widths, attention


def autoencoder_settings(state: Tensors) -> VQAutoencoderSettings:
    """Width, depth, codes and attention of the first stage; PriorError for one without a codebook."""
    _refuse_kl(state)
    codes, code_channels = _shape(state, f"{FIRST_STAGE}quantize.embedding.weight")
    encoder = f"{FIRST_STAGE}encoder"
    image_channels = _shape(state, f"{encoder}.conv_in.weight")[1]
    channels: list[int] = []
    attention: list[bool] = []
    while _has(state, f"{encoder}.down.{len(channels)}."):
        level = f"{encoder}.down.{len(channels)}"
        attention.append(_has(state, f"{level}.attn."))
        channels.append(_width(state, f"{level}.block.0"))
    if not channels:
        raise refuse(f"keys {encoder}.down.0.* missing", "the released layout")
    blocks = 0
    while _has(state, f"{encoder}.down.0.block.{blocks}."):
        blocks += 1
    return VQAutoencoderSettings(
        channels=tuple(channels),
        latent_channels=_shape(state, f"{encoder}.conv_out.weight")[0],
        code_channels=code_channels,
        codes=codes,
        image_channels=image_channels,
        num_res_blocks=blocks,
        attention_levels=tuple(attention),
        norm_groups=NORM_GROUPS,
    )


def _refuse_kl(state: Tensors) -> None:
    before = state.get(f"{FIRST_STAGE}quant_conv.weight")
    after = state.get(f"{FIRST_STAGE}post_quant_conv.weight")
    if before is not None and after is not None and before.shape[0] == 2 * after.shape[1]:
        raise refuse(
            "the first stage gives mean and variance: it is a KL autoencoder", "a VQ autoencoder"
        )
