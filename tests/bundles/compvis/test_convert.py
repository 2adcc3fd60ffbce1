"""A released checkpoint file to a bundle, by the command."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from compvis_layout import (
    FIRST_STAGE,
    KEYS,
    SMALL_HEAD_CHANNELS,
    UNET,
    OriginalAutoencoder,
    original_unet,
    reference_folder,
    reference_io,
    small_state,
    tables,
)

from resample_ct.bundles.bundle import read_bundle, read_card, read_networks
from resample_ct.bundles.card import LatentPriorCard
from resample_ct.cli import main


@pytest.fixture(scope="module")
def state():
    return small_state()


@pytest.fixture(scope="module")
def checkpoint(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("released") / "small.ckpt"
    torch.save({"state_dict": state, "global_step": 635_000, "epoch": 1}, path)
    return path


def convert(*arguments):
    return CliRunner().invoke(main, ["convert", *map(str, arguments)])


HEADS = ("--head-channels", SMALL_HEAD_CHANNELS)


@pytest.mark.parametrize("raw", [True, False])
def test_bundle_predicts_what_the_original_does(state, checkpoint, tmp_path, raw):
    result = convert(checkpoint, "--out", tmp_path / "b", *HEADS, *(["--raw"] if raw else []))
    assert result.exit_code == 0, result.output
    prior = read_bundle(tmp_path / "b")
    z = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = original_unet(state, z, torch.tensor([500]), SMALL_HEAD_CHANNELS, raw)
        torch.testing.assert_close(prior.predict_noise(z, 500), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("raw", [True, False])
def test_bundle_of_the_reference_checkpoint_gives_the_originals_outputs(tmp_path, raw):
    folder = reference_folder()
    expected = reference_io(folder)
    result = convert(folder / "tiny.ckpt", "--out", tmp_path / "b", *HEADS, *(["--raw"] if raw else []))
    assert result.exit_code == 0, result.output
    networks = read_networks(tmp_path / "b", read_card(tmp_path / "b", LatentPriorCard))
    autoencoder = networks["autoencoder"]
    with torch.no_grad():
        found = {
            "eps" if raw else "eps_ema": networks["unet"](expected["z"], expected["t"]),
            "encode": autoencoder.encode(expected["x"])[0],
            "decode_quantized": autoencoder.decode(expected["decode_in"], quantise=True),
            "decode_unquantized": autoencoder.decode(expected["decode_in"], quantise=False),
        }
    for name, value in found.items():
        largest = float(expected[name].abs().max())
        torch.testing.assert_close(value, expected[name], atol=1e-5 * max(1.0, largest), rtol=0)


def test_known_width_needs_no_head_channels_and_another_asks_for_them(checkpoint, state, tmp_path):
    assert convert(checkpoint, "--out", tmp_path / "b").exit_code == 0
    assert read_card(tmp_path / "b", LatentPriorCard).unet.head_channels == SMALL_HEAD_CHANNELS
    # A first level of 31 channels, as far as one can tell before the rest is missing.
    other = {**state, f"{UNET}input_blocks.0.0.weight": torch.zeros(31, 3, 3, 3)}
    blocks = tuple(f"{UNET}input_blocks.{block}.0.out_layers" for block in (1, 2))
    for name in [name for name in state if name.startswith(blocks)]:
        other[name] = state[name][:31]
    torch.save({"state_dict": other}, tmp_path / "other.ckpt")
    result = convert(tmp_path / "other.ckpt", "--out", tmp_path / "c")
    assert result.exit_code == 1 and not (tmp_path / "c").exists()
    assert re.search(
        "--head-channels: not given, and the UNet's first level has 31 channels", result.output
    )


def test_slice_is_repeated_for_three_channels_and_their_mean_taken(state, checkpoint, tmp_path):
    convert(checkpoint, "--out", tmp_path / "b", *HEADS)
    prior, original = read_bundle(tmp_path / "b"), OriginalAutoencoder(state)
    image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        latent = original.encode((2 * image - 1).repeat(1, 3, 1, 1))
        torch.testing.assert_close(prior.encode(image), latent, atol=1e-5, rtol=1e-5)
        decoded = (original.decode(latent, quantise=True).mean(dim=1, keepdim=True) + 1) / 2
        torch.testing.assert_close(prior.decode(latent), decoded, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_values_keep_the_checkpoints_precision(state, tmp_path, dtype):
    cast = {k: v.to(dtype) if v.dim() else v for k, v in state.items()} | tables()
    torch.save({"state_dict": cast}, tmp_path / "m.ckpt")
    assert convert(tmp_path / "m.ckpt", "--out", tmp_path / "b", "--raw", *HEADS).exit_code == 0
    stored = torch.load(tmp_path / "b" / "models" / "unet.pt", weights_only=True)
    assert {v.dtype for v in stored.values()} == {dtype}
    assert torch.equal(stored["out.2.conv.weight"], cast[f"{UNET}out.2.weight"])


def test_error_names_file_and_key_and_leaves_nothing(state, tmp_path):
    torch.save({"state_dict": state | {"surprise": torch.zeros(1)}}, tmp_path / "m.ckpt")
    result = convert(tmp_path / "m.ckpt", "--out", tmp_path / "b", *HEADS)
    assert result.exit_code == 1
    assert f"Error: {tmp_path / 'm.ckpt'}: key surprise unknown, expected" in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["m.ckpt"]


def test_existing_bundle_is_left_alone(checkpoint, tmp_path):
    result = convert(checkpoint, "--out", tmp_path, *HEADS)
    assert result.exit_code == 1 and "exists, expected a new folder" in result.output


_MEASURED = """
import resource, sys
from pathlib import Path
from resample_ct.bundles.compvis.convert import convert_checkpoint
convert_checkpoint(Path(sys.argv[1]), Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2)
"""


@pytest.mark.slow
def test_full_size_converts_in_less_than_6_gb():
    """All 945 tensors of the released layout in single precision, as released: 2.4 GB."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(20_000_000, generator=generator) * 0.02

    def value(shape):
        size = torch.Size(shape).numel()
        start = int(torch.randint(len(values) - size, (), generator=generator))
        return values[start : start + size].clone().view(shape)

    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "ffhq.ckpt", Path(folder) / "bundle"
        state = {name: value(shape) for name, shape in KEYS.items()} | tables()
        assert len(state) == 945
        first_stage = {n: v for n, v in state.items() if n.startswith(FIRST_STAGE)}
        averaged = state["model_ema.diffusion_modelout2weight"]
        torch.save({"state_dict": state}, path)
        del state
        found = subprocess.run(
            [sys.executable, "-c", _MEASURED, str(path), str(out)], capture_output=True, text=True
        )
        assert found.returncode == 0, found.stderr
        assert float(found.stdout) < 6.0
        card = read_card(out, LatentPriorCard)
        assert card.training == {"converted_from": "ffhq.ckpt", "unet": "running average"}
        stored = {
            name: torch.load(out / "models" / f"{name}.pt", weights_only=True, mmap=True)
            for name in card.networks
        }
        sizes = {name: sum(v.numel() for v in part.values()) for name, part in stored.items()}
        raw_unet = sum(torch.Size(s).numel() for n, s in KEYS.items() if n.startswith(UNET))
        assert sizes == {
            "autoencoder": sum(v.numel() for v in first_stage.values()),
            "unet": raw_unet,
        }
        assert torch.equal(stored["unet"]["out.2.conv.weight"], averaged)
