"""The released checkpoints in MONAI's networks: exact, and every tensor accounted for."""

from __future__ import annotations

import pytest
import torch
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
from torch import nn

from resample_ct.bundles.compvis.checkpoint import load_state_dict
from resample_ct.bundles.compvis.weights import convert_state_dict, split_heads
from resample_ct.errors import PriorError
from resample_ct.networks.settings import UNetSettings, VQAutoencoderSettings

# Of float32; the original's own rounding is 5e-6 of its largest value.
TOLERANCE = 1e-5


def error(found, expected):
    """Largest difference, relative to the largest value where that is above one."""
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1.0))


def build(converted):
    """Both networks with their weights."""
    autoencoder, unet = converted.autoencoder.build(), converted.unet.build()
    for network, name in ((autoencoder, "autoencoder"), (unet, "unet")):
        network.to(next(iter(converted.weights[name].values())).dtype)
        network.load_state_dict(converted.weights[name])
        network.eval()
    return autoencoder, unet


@pytest.fixture(scope="module")
def small():
    """A checkpoint of the released layout in double precision, so that nothing hides in rounding."""
    return {k: v.double() if v.is_floating_point() else v for k, v in small_state().items()}


@pytest.fixture(scope="module")
def inputs():
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(2, 3, 8, 8, generator=generator, dtype=torch.float64)
    x = torch.rand(2, 3, 32, 32, generator=generator, dtype=torch.float64) * 2 - 1
    return z, torch.tensor([10, 700]), x


@pytest.mark.parametrize("raw", [True, False])
def test_unet_is_the_originals(small, inputs, raw):
    z, t, _ = inputs
    _, unet = build(convert_state_dict(small, SMALL_HEAD_CHANNELS, raw))
    with torch.no_grad():
        expected = original_unet(small, z, t, SMALL_HEAD_CHANNELS, raw)
        torch.testing.assert_close(unet(z, t), expected, atol=1e-6, rtol=0)


def test_raw_and_averaged_unets_differ(small, inputs):
    z, t, _ = inputs
    raw, averaged = (
        build(convert_state_dict(small, SMALL_HEAD_CHANNELS, raw))[1] for raw in (True, False)
    )
    with torch.no_grad():
        assert error(raw(z, t), averaged(z, t)) > 0.1


def test_autoencoder_is_the_originals(small, inputs):
    autoencoder, _ = build(convert_state_dict(small, SMALL_HEAD_CHANNELS))
    original = OriginalAutoencoder(small)
    with torch.no_grad():
        latent = original.encode(inputs[2])
        torch.testing.assert_close(autoencoder.encode(inputs[2])[0], latent, atol=1e-9, rtol=0)
        for quantise in (True, False):
            image = original.decode(latent, quantise)
            torch.testing.assert_close(autoencoder.decode(latent, quantise), image, atol=1e-9, rtol=0)


@pytest.mark.parametrize("quantise", [True, False])
def test_gradient_through_the_decoder_is_the_originals(small, inputs, quantise):
    autoencoder, _ = build(convert_state_dict(small, SMALL_HEAD_CHANNELS))
    gradients = []
    for decode in (OriginalAutoencoder(small).decode, autoencoder.decode):
        z = inputs[0].clone().requires_grad_()
        gradients += torch.autograd.grad(decode(z, quantise).square().sum(), z)
    assert gradients[0].abs().max() > 1e-3
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-8, rtol=1e-8)


def test_gradient_through_the_unet_is_the_originals(small, inputs):
    _, t, _ = inputs
    _, unet = build(convert_state_dict(small, SMALL_HEAD_CHANNELS, raw=True))
    gradients = []
    for predict in (lambda z: original_unet(small, z, t, SMALL_HEAD_CHANNELS), lambda z: unet(z, t)):
        z = inputs[0].clone().requires_grad_()
        gradients += torch.autograd.grad(predict(z).square().sum(), z)
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-6, rtol=1e-6)


@pytest.fixture(scope="module")
def tiny():
    """The reference checkpoint and what the original code computes from it."""
    folder = reference_folder()
    return {k: v.float() for k, v in load_state_dict(folder / "tiny.ckpt").items()}, reference_io(folder)


def tiny_outputs(networks, expected):
    autoencoder, unet = networks
    with torch.no_grad():
        return {
            "eps": unet(expected["z"], expected["t"]),
            "encode": autoencoder.encode(expected["x"])[0],
            "decode_quantized": autoencoder.decode(expected["decode_in"]),
            "decode_unquantized": autoencoder.decode(expected["decode_in"], quantise=False),
        }


@pytest.mark.parametrize("raw", [True, False])
def test_reference_outputs_are_reproduced(tiny, raw):
    state, expected = tiny
    found = tiny_outputs(build(convert_state_dict(state, SMALL_HEAD_CHANNELS, raw)), expected)
    expected = expected | {} if raw else expected | {"eps": expected["eps_ema"]}
    assert {name: error(found[name], expected[name]) for name in found} == pytest.approx(
        dict.fromkeys(found, 0.0), abs=TOLERANCE
    )


def set_eps(network, eps):
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            module.eps = eps


def without_silu(half):
    norm = half.blocks[-2]
    plain = nn.GroupNorm(norm.num_groups, norm.num_channels, norm.eps)
    plain.load_state_dict(norm.state_dict())
    half.blocks[-2] = plain


MISTAKES = {
    "UNet norm eps": ("eps", lambda a, u: set_eps(u, 1e-6)),
    "autoencoder norm eps": ("decode_unquantized", lambda a, u: set_eps(a, 1e-5)),
    "no SiLU in the encoder": ("encode", lambda a, u: without_silu(a.encoder)),
    "no SiLU in the decoder": ("decode_quantized", lambda a, u: without_silu(a.decoder)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_breaks_the_tolerance(tiny, mistake):
    state, expected = tiny
    networks = build(convert_state_dict(state, SMALL_HEAD_CHANNELS, raw=True))
    name, make = MISTAKES[mistake]
    make(*networks)
    assert error(tiny_outputs(networks, expected)[name], expected[name]) > 2 * TOLERANCE


def test_splitting_all_of_q_from_all_of_k_breaks_the_tolerance(tiny):
    state, expected = tiny
    # One head as wide as the block leaves q, k and v whole, one after the other.
    converted = convert_state_dict(state, SMALL_HEAD_CHANNELS, raw=True)
    for name, value in state.items():
        if name.startswith(UNET) and name.endswith("middle_block.1.qkv.weight"):
            for part, split in zip("qkv", split_heads(value, len(value) // 3), strict=True):
                target = f"middle_block.attention.attn.to_{part}.weight"
                converted.weights["unet"][target] = split[..., 0]
    found = tiny_outputs(build(converted), expected)["eps"]
    assert error(found, expected["eps"]) > 2 * TOLERANCE


def test_heads_are_split_head_by_head():
    fused = torch.arange(12)[:, None]  # two heads of two channels: q0 q0 k0 k0 v0 v0 q1 ...
    assert [part.flatten().tolist() for part in split_heads(fused, 2)] == [
        [0, 1, 6, 7],
        [2, 3, 8, 9],
        [4, 5, 10, 11],
    ]


FULL = {name: torch.empty(shape, device="meta") for name, shape in KEYS.items()} | tables()


def full_state():
    """Every key and shape of the released checkpoint; no memory behind the weights."""
    return dict(FULL)


def test_full_layout_gives_the_released_architecture():
    converted = convert_state_dict(full_state())
    assert converted.unet == UNetSettings(
        channels=(224, 448, 672, 896),
        latent_channels=3,
        num_res_blocks=2,
        attention_levels=(False, True, True, True),
        head_channels=32,
    )
    assert converted.autoencoder == VQAutoencoderSettings()
    assert converted.scale == 1.0
    sizes = {name: sum(v.numel() for v in part.values()) for name, part in converted.weights.items()}
    assert sizes["unet"] == pytest.approx(274.06e6, rel=1e-4)
    assert sum(sizes.values()) == sum(
        torch.Size(shape).numel() for name, shape in KEYS.items() if name.startswith((UNET, FIRST_STAGE))
    )


@pytest.mark.slow
def test_each_missing_key_is_named():
    for missing in KEYS:
        state = full_state()
        del state[missing]
        with pytest.raises(PriorError, match=rf"key {missing} missing, expected the released layout"):
            convert_state_dict(state)


@pytest.mark.parametrize(
    "name", ["model.diffusion_model.extra.weight", "first_stage_model.loss.logvar", "optimizer", "logvar"]
)
def test_unknown_key_is_named(name):
    with pytest.raises(PriorError, match=f"key {name} unknown, expected"):
        convert_state_dict(full_state() | {name: torch.zeros(1)})


def test_shape_that_does_not_fit_is_named():
    name = "first_stage_model.decoder.conv_in.weight"
    with pytest.raises(PriorError, match=rf"key {name}: shape \(512, 4, 3, 3\), expected"):
        convert_state_dict(full_state() | {name: torch.empty(512, 4, 3, 3, device="meta")})


def test_tables_of_other_versions_are_known():
    more = {"sqrt_alphas_cumprod": torch.zeros(1000), "posterior_variance": torch.zeros(1000)}
    convert_state_dict(full_state() | more)


def test_scale_factor_becomes_the_scale():
    assert convert_state_dict(full_state() | {"scale_factor": torch.tensor(0.25)}).scale == 4.0


def test_checkpoint_without_average_needs_raw():
    state = {name: value for name, value in full_state().items() if "model_ema" not in name}
    with pytest.raises(PriorError, match=r"no key begins with model_ema.* give --raw"):
        convert_state_dict(state)
    convert_state_dict(state, raw=True)


def meta(*shape):
    return torch.empty(shape, device="meta")


OTHERS = {
    "conditional: text": (
        lambda s: s | {"cond_stage_model.transformer.weight": meta(1)},
        "the model is conditional",
    ),
    "conditional: class": (
        lambda s: s | {f"{UNET}label_emb.0.weight": meta(1)},
        "the model is conditional",
    ),
    "conditional: image beside the latent": (
        lambda s: s | {f"{UNET}input_blocks.0.0.weight": meta(224, 6, 3, 3)},
        "takes 6 channels and predicts 3: it is conditional",
    ),
    "conditional: transformer": (
        lambda s: s | {f"{UNET}input_blocks.4.1.transformer_blocks.0.norm1.weight": meta(448)},
        "the model is conditional",
    ),
    "attention in some blocks": (
        lambda s: {k: v for k, v in s.items() if "input_blocks.4.1" not in k},
        "key model.diffusion_model.input_blocks.4.1.norm.bias, .* and 3 more missing",
    ),
    "scale and shift": (
        lambda s: s | {f"{UNET}input_blocks.1.0.emb_layers.1.weight": meta(448, 896)},
        "use_scale_shift_norm",
    ),
    "residual resampling": (
        lambda s: {k.replace(".0.op.", ".0.out_layers.3."): v for k, v in s.items()},
        "resblock_updown",
    ),
    "KL": (
        lambda s: (
            {k: v for k, v in s.items() if "quantize" not in k}
            | {"first_stage_model.quant_conv.weight": meta(6, 6, 1, 1)}
        ),
        "it is a KL autoencoder",
    ),
    "autoencoder alone": (
        lambda s: {k: v for k, v in s.items() if "model.diffusion" not in k},
        "an autoencoder alone is no prior",
    ),
    "another schedule": (
        lambda s: s | {"betas": torch.linspace(1e-4, 2e-2, 1000)},
        "key betas: 1000 values from 0.0001 to 0.02",
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_other_model_is_refused(other):
    change, reason = OTHERS[other]
    with pytest.raises(PriorError, match=reason):
        convert_state_dict(change(full_state()))


def test_head_channels_that_do_not_divide_are_refused():
    with pytest.raises(PriorError, match="--head-channels 30: 448 channels with attention, expected a"):
        convert_state_dict(full_state(), head_channels=30)
