"""Checkpoints of the released layout, and the original networks evaluated straight from their tensors.

The evaluation is written from the published architecture alone (Rombach et al., 2022: UNetModel and
VQModel), one function a layer, and knows nothing of MONAI or of the conversion: it is the
independent second opinion that the conversion is tested against.
"""

from __future__ import annotations

import gzip
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as f

from resample_ct.prior.schedule import NoiseSchedule

KEYS: dict[str, list[int]] = json.loads(
    gzip.decompress(
        (
            Path(__file__).parent / "bundles" / "compvis" / "data" / "ffhq-ldm-vq4-keys.json.gz"
        ).read_bytes()
    )
)
UNET, FIRST_STAGE = "model.diffusion_model.", "first_stage_model."
SMALL_HEAD_CHANNELS = 16


def reference_folder() -> Path:
    """Where the reference checkpoint and what the original computes from it lie; skips without them."""
    shared = Path(os.environ.get("RESAMPLE_CT_SHARED", Path(__file__).parents[2] / "shared"))
    if not (shared / "compvis").is_dir():
        pytest.skip(f"{shared}/compvis: the reference checkpoint is not here; the random one is tested")
    return shared / "compvis"


def reference_io(folder: Path) -> dict[str, torch.Tensor]:
    """The original's inputs and outputs."""
    with np.load(folder / "tiny-reference-io.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays}


def small_shape(name: str, shape: list[int]) -> list[int]:
    """A seventh of the UNet's width, a quarter of the autoencoder's, 256 codes."""
    if name.startswith(FIRST_STAGE):
        return [256 if d == 8192 else d // 4 if d % 128 == 0 else d for d in shape]
    return [d // 7 if d % 224 == 0 else d for d in shape]


def tables() -> dict[str, torch.Tensor]:
    """The schedule's two tables, in single precision as the checkpoint has them."""
    alpha_bar = torch.from_numpy(NoiseSchedule().alpha_bar)
    betas = torch.linspace(0.0015**0.5, 0.0195**0.5, 1000, dtype=torch.float64) ** 2
    return {"betas": betas.float(), "alphas_cumprod": alpha_bar.float()}


def random_value(shape: list[int], generator: torch.Generator) -> torch.Tensor:
    """Spread so that signals neither vanish nor grow on their way, and nothing is zero."""
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else 1
    value = torch.randn(shape, generator=generator)
    return value / math.sqrt(fan_in) if len(shape) > 1 else 0.1 * value + 0.1


def random_state(shapes: dict[str, list[int]], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random values for every key; the averaged UNet differs from the raw one."""
    generator = torch.Generator().manual_seed(seed)
    state = {name: random_value(shape, generator) for name, shape in shapes.items()}
    state["model_ema.decay"] = torch.tensor(0.9999)
    state["model_ema.num_updates"] = torch.tensor(635_000, dtype=torch.int32)
    return state | tables()


def small_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """The released layout at a width that tests can run."""
    return random_state({name: small_shape(name, shape) for name, shape in KEYS.items()}, seed)


class Layers:
    """The original layers by their names in a checkpoint, under a prefix."""

    def __init__(self, state: dict[str, torch.Tensor], prefix: str, eps: float) -> None:
        self.state, self.prefix, self.eps = state, prefix, eps

    def has(self, name: str) -> bool:
        return f"{self.prefix}{name}.weight" in self.state

    def get(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self.state[f"{self.prefix}{name}.weight"], self.state[f"{self.prefix}{name}.bias"]

    def norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return f.group_norm(x, 32, *self.get(name), self.eps)

    def act(self, name: str, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(name, x)
        return x * x.sigmoid()

    def conv(self, name: str, x: torch.Tensor, stride: int = 1, padding: int = 1) -> torch.Tensor:
        return f.conv2d(x, *self.get(name), stride=stride, padding=padding)

    def point(self, name: str, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.get(name)
        return torch.einsum("oi,bi...->bo...", weight.flatten(1), x) + bias.view(-1, *[1] * (x.dim() - 2))


def timestep_embedding(t: torch.Tensor, width: int) -> torch.Tensor:
    half = width // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half) / half)
    angles = t[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def original_unet(
    state: dict[str, torch.Tensor], z: torch.Tensor, t: torch.Tensor, head_channels: int, raw: bool = True
) -> torch.Tensor:
    """eps_theta(z, t) of the checkpoint's raw or averaged UNet."""
    if not raw:
        names = [name for name in state if name.startswith(UNET)]
        averaged = {n: state["model_ema." + n.removeprefix("model.").replace(".", "")] for n in names}
        state = {**state, **averaged}
    layers = Layers(state, UNET, 1e-5)

    def block(name: str, x: torch.Tensor) -> torch.Tensor:
        h = layers.conv(f"{name}.in_layers.2", layers.act(f"{name}.in_layers.0", x))
        h = h + layers.point(f"{name}.emb_layers.1", nn.SiLU()(embedding))[:, :, None, None]
        h = layers.conv(f"{name}.out_layers.3", layers.act(f"{name}.out_layers.0", h))
        skip = f"{name}.skip_connection"
        return (layers.point(skip, x) if layers.has(skip) else x) + h

    def attention(name: str, x: torch.Tensor) -> torch.Tensor:
        batch, channels, *side = x.shape
        flat = layers.norm(f"{name}.norm", x).flatten(2)
        heads = layers.point(f"{name}.qkv", flat).reshape(-1, 3 * head_channels, flat.shape[-1])
        q, k, v = heads.split(head_channels, dim=1)
        weights = (q.transpose(1, 2) @ k / math.sqrt(head_channels)).softmax(dim=-1)
        h = (v @ weights.transpose(1, 2)).reshape(batch, channels, -1)
        return x + layers.point(f"{name}.proj_out", h).reshape(batch, channels, *side)

    def module(name: str, x: torch.Tensor) -> torch.Tensor:
        if layers.has(f"{name}.in_layers.0"):
            return block(name, x)
        if layers.has(f"{name}.qkv"):
            return attention(name, x)
        if layers.has(f"{name}.op"):
            return layers.conv(f"{name}.op", x, stride=2)
        if layers.has(f"{name}.conv"):
            return layers.conv(f"{name}.conv", f.interpolate(x, scale_factor=2, mode="nearest"))
        return layers.conv(name, x)

    def modules(kind: str) -> list[list[str]]:
        found: dict[int, set[int]] = {}
        for name in state:
            if name.startswith(UNET + kind):
                index, part = name.removeprefix(UNET + kind + ".").split(".")[:2]
                found.setdefault(int(index), set()).add(int(part))
        return [[f"{kind}.{i}.{p}" for p in sorted(found[i])] for i in sorted(found)]

    width = layers.get("input_blocks.0.0")[0].shape[0]
    embedding = layers.point("time_embed.0", timestep_embedding(t, width).to(z.dtype))
    embedding = layers.point("time_embed.2", nn.SiLU()(embedding))
    h, skips = z, []
    for stage in modules("input_blocks"):
        for name in stage:
            h = module(name, h)
        skips.append(h)
    for name in ("middle_block.0", "middle_block.1", "middle_block.2"):
        h = module(name, h)
    for stage in modules("output_blocks"):
        h = torch.cat([h, skips.pop()], dim=1)
        for name in stage:
            h = module(name, h)
    return layers.conv("out.2", layers.act("out.0", h))


class OriginalAutoencoder:
    """The checkpoint's first stage."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        self.layers = Layers(state, FIRST_STAGE, 1e-6)
        self.codes = state[f"{FIRST_STAGE}quantize.embedding.weight"]

    def _block(self, name: str, x: torch.Tensor) -> torch.Tensor:
        h = self.layers.conv(f"{name}.conv1", self.layers.act(f"{name}.norm1", x))
        h = self.layers.conv(f"{name}.conv2", self.layers.act(f"{name}.norm2", h))
        skip = f"{name}.nin_shortcut"
        return (self.layers.point(skip, x) if self.layers.has(skip) else x) + h

    def _attention(self, name: str, x: torch.Tensor) -> torch.Tensor:
        flat = self.layers.norm(f"{name}.norm", x).flatten(2)
        q, k, v = (self.layers.point(f"{name}.{part}", flat) for part in "qkv")
        weights = (q.transpose(1, 2) @ k / math.sqrt(flat.shape[1])).softmax(dim=-1)
        h = self.layers.point(f"{name}.proj_out", v @ weights.transpose(1, 2))
        return x + h.reshape(x.shape)

    def _middle(self, half: str, h: torch.Tensor) -> torch.Tensor:
        h = self._attention(f"{half}.mid.attn_1", self._block(f"{half}.mid.block_1", h))
        return self._block(f"{half}.mid.block_2", h)

    def _level(self, name: str, h: torch.Tensor) -> torch.Tensor:
        block = 0
        while self.layers.has(f"{name}.block.{block}.norm1"):
            h = self._block(f"{name}.block.{block}", h)
            if self.layers.has(f"{name}.attn.{block}.q"):
                h = self._attention(f"{name}.attn.{block}", h)
            block += 1
        return h

    def _out(self, half: str, h: torch.Tensor) -> torch.Tensor:
        return self.layers.conv(f"{half}.conv_out", self.layers.act(f"{half}.norm_out", h))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        h, level = self.layers.conv("encoder.conv_in", x), 0
        while self.layers.has(f"encoder.down.{level}.block.0.norm1"):
            h = self._level(f"encoder.down.{level}", h)
            down = f"encoder.down.{level}.downsample.conv"
            if self.layers.has(down):
                h = self.layers.conv(down, f.pad(h, (0, 1, 0, 1)), stride=2, padding=0)
            level += 1
        return self.layers.point("quant_conv", self._out("encoder", self._middle("encoder", h)))

    def nearest(self, z: torch.Tensor) -> torch.Tensor:
        """Each latent vector's code, by the plain definition of a distance."""
        distance = (z[:, None] - self.codes[None, :, :, None, None]).square().sum(dim=2)
        return self.codes[distance.argmin(dim=1)].movedim(-1, 1)

    def decode(self, z: torch.Tensor, quantise: bool) -> torch.Tensor:
        if quantise:
            z = z + (self.nearest(z) - z).detach()
        h = self.layers.conv("decoder.conv_in", self.layers.point("post_quant_conv", z))
        h = self._middle("decoder", h)
        level = 0
        while self.layers.has(f"decoder.up.{level + 1}.block.0.norm1"):
            level += 1
        while level >= 0:
            h = self._level(f"decoder.up.{level}", h)
            up = f"decoder.up.{level}.upsample.conv"
            if self.layers.has(up):
                h = self.layers.conv(up, f.interpolate(h, scale_factor=2, mode="nearest"))
            level -= 1
        return self._out("decoder", h)
