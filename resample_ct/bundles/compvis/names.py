"""CompVis' names of a network's tensors beside MONAI's: which of theirs goes where in ours.

Both build the same blocks in the same order; they number and name them differently, and CompVis
fuses the UNet's q, k and v into one convolution.
"""

from __future__ import annotations

from collections.abc import Iterator

from resample_ct.bundles.compvis.shapes import FIRST_STAGE, UNET
from resample_ct.networks.settings import UNetSettings, VQAutoencoderSettings

# Theirs to ours; three of ours stand for a fused q, k and v.
Names = dict[str, tuple[str, ...]]

_UNET_BLOCK = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1.conv",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2.conv",
}
_BLOCK = {"norm1": "norm1", "conv1": "conv1.conv", "norm2": "norm2", "conv2": "conv2.conv"}
_ATTENTION = {
    "norm": "norm",
    "q": "attn.to_q",
    "k": "attn.to_k",
    "v": "attn.to_v",
    "proj_out": "attn.out_proj",
}
_UNET_ATTENTION = {"norm": ("norm",), "proj_out": ("attn.out_proj",)} | {
    "qkv": ("attn.to_q", "attn.to_k", "attn.to_v")
}

Modules = Iterator[tuple[str, tuple[str, ...]]]


def _tensors(modules: Modules) -> Names:
    return {
        f"{theirs}.{tensor}": tuple(f"{name}.{tensor}" for name in ours)
        for theirs, ours in modules
        for tensor in ("weight", "bias")
    }


def unet_names(settings: UNetSettings) -> Names:
    """Names of the noise predictor's tensors, as last trained; `ema_name` gives the averaged ones."""
    return _tensors((UNET + theirs, ours) for theirs, ours in _unet(settings))


def ema_name(name: str) -> str:
    """Where the average of a raw tensor of `model.` is kept: its name without dots."""
    return "model_ema." + name.removeprefix("model.").replace(".", "")


def _unet(s: UNetSettings) -> Modules:
    for plain in ("time_embed.0", "time_embed.2", "out.0"):
        yield plain, (plain,)
    yield "out.2", ("out.2.conv",)
    yield "input_blocks.0.0", ("conv_in.conv",)
    levels = list(enumerate(zip(s.channels, s.attention_levels, strict=True)))
    # Widths that go up again beside what comes from below.
    skips = [s.channels[0]]
    index, width = 1, s.channels[0]
    for level, (channels, attention) in levels:
        for block in range(s.num_res_blocks):
            ours = f"down_blocks.{level}.resnets.{block}"
            yield from _unet_block(f"input_blocks.{index}.0", ours, width != channels)
            if attention:
                ours = f"down_blocks.{level}.attentions.{block}"
                yield from _unet_attention(f"input_blocks.{index}.1", ours)
            width = channels
            skips.append(width)
            index += 1
        if level + 1 < len(levels):
            yield f"input_blocks.{index}.0.op", (f"down_blocks.{level}.downsampler.op.conv",)
            skips.append(width)
            index += 1
    yield from _unet_block("middle_block.0", "middle_block.resnet_1", False)
    yield from _unet_attention("middle_block.1", "middle_block.attention")
    yield from _unet_block("middle_block.2", "middle_block.resnet_2", False)
    index = 0
    for up, (level, (channels, attention)) in enumerate(reversed(levels)):
        for block in range(s.num_res_blocks + 1):
            ours = f"up_blocks.{up}.resnets.{block}"
            yield from _unet_block(f"output_blocks.{index}.0", ours, width + skips.pop() != channels)
            width = channels
            if attention:
                ours = f"up_blocks.{up}.attentions.{block}"
                yield from _unet_attention(f"output_blocks.{index}.1", ours)
            if block == s.num_res_blocks and level > 0:
                place = 2 if attention else 1
                theirs = f"output_blocks.{index}.{place}.conv"
                yield theirs, (f"up_blocks.{up}.upsampler.postconv.conv",)
            index += 1


def _unet_block(theirs: str, ours: str, changes_width: bool) -> Modules:
    for their, our in _UNET_BLOCK.items():
        yield f"{theirs}.{their}", (f"{ours}.{our}",)
    if changes_width:
        yield f"{theirs}.skip_connection", (f"{ours}.skip_connection.conv",)


def _unet_attention(theirs: str, ours: str) -> Modules:
    for their, our in _UNET_ATTENTION.items():
        yield f"{theirs}.{their}", tuple(f"{ours}.{name}" for name in our)


def autoencoder_names(settings: VQAutoencoderSettings) -> Names:
    """Names of the tensors of encoder, decoder, the two 1x1 convolutions and the codebook."""
    names = _tensors((FIRST_STAGE + theirs, ours) for theirs, ours in _autoencoder(settings))
    return names | {f"{FIRST_STAGE}quantize.embedding.weight": ("codebook",)}


def _autoencoder(s: VQAutoencoderSettings) -> Modules:
    for half, blocks in (("encoder", _encoder(s)), ("decoder", _decoder(s))):
        for index, block in enumerate(blocks):
            for theirs, ours in block.items():
                yield f"{half}.{theirs}", (f"{half}.blocks.{index}{ours}",)
    yield "quant_conv", ("quant_conv",)
    yield "post_quant_conv", ("post_quant_conv",)


# One of our numbered blocks: their modules in it, and each one's place within it.
Block = dict[str, str]


def _block(theirs: str, changes_width: bool = False) -> Block:
    parts = _BLOCK | ({"nin_shortcut": "nin_shortcut.conv"} if changes_width else {})
    return {f"{theirs}.{their}": f".{our}" for their, our in parts.items()}


def _attention(theirs: str) -> Block:
    return {f"{theirs}.{their}": f".{our}" for their, our in _ATTENTION.items()}


def _middle() -> Iterator[Block]:
    yield _block("mid.block_1")
    yield _attention("mid.attn_1")
    yield _block("mid.block_2")


def _level(theirs: str, blocks: int, changes_width: bool, attention: bool) -> Iterator[Block]:
    for block in range(blocks):
        yield _block(f"{theirs}.block.{block}", changes_width and block == 0)
        if attention:
            yield _attention(f"{theirs}.attn.{block}")


def _encoder(s: VQAutoencoderSettings) -> Iterator[Block]:
    yield {"conv_in": ".conv"}
    width = s.channels[0]
    for level, channels in enumerate(s.channels):
        attention = s.attention_levels[level]
        yield from _level(f"down.{level}", s.num_res_blocks, width != channels, attention)
        width = channels
        if level + 1 < len(s.channels):
            yield {f"down.{level}.downsample.conv": ".conv.conv"}
    yield from _middle()
    yield {"norm_out": ""}
    yield {"conv_out": ".conv"}


def _decoder(s: VQAutoencoderSettings) -> Iterator[Block]:
    yield {"conv_in": ".conv"}
    yield from _middle()
    width = s.channels[-1]
    for level, channels in reversed(list(enumerate(s.channels))):
        attention = s.attention_levels[level]
        yield from _level(f"up.{level}", s.num_res_blocks + 1, width != channels, attention)
        width = channels
        if level > 0:
            yield {f"up.{level}.upsample.conv": ".postconv.conv"}
    yield {"norm_out": ""}
    yield {"conv_out": ".conv"}
