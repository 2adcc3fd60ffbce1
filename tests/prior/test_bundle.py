"""A prior on disk."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from laws import fill_zero_weights

from resample_ct.errors import PriorError
from resample_ct.prior.bundle import read_bundle, write_bundle
from resample_ct.prior.networks import AutoencoderSettings, UNetSettings
from resample_ct.units import Window

AUTOENCODER = AutoencoderSettings(channels=(8, 8, 16), latent_channels=3, norm_groups=4)
UNET = UNetSettings(channels=(8, 8, 8, 8), latent_channels=3, head_channels=4, norm_groups=4)


@pytest.fixture
def bundle(tiny_bundle, tmp_path):
    """A copy of the tiny bundle, to damage."""
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")


def edit(bundle, **changes):
    path = bundle / "configs" / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_read_gives_the_half_precision_networks(tmp_path):
    torch.manual_seed(3)
    networks = AUTOENCODER.build(), fill_zero_weights(UNET.build())
    write_bundle(
        tmp_path / "new" / "b",
        "mine",
        networks[0],
        AUTOENCODER,
        networks[1],
        UNET,
        1.7,
        Window(),
        {"seed": 3},
    )
    prior = read_bundle(tmp_path / "new" / "b")
    autoencoder, unet = (network.half().float().eval() for network in networks)
    x = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        latent = autoencoder.encode(2 * x - 1)[0] / 1.7
        torch.testing.assert_close(prior.encode(x), latent, atol=1e-5, rtol=1e-5)
        image = 0.5 * (autoencoder.decode(1.7 * latent) + 1)
        torch.testing.assert_close(prior.decode(latent), image, atol=1e-5, rtol=1e-5)
        noise = unet(latent, torch.tensor([7]))
        torch.testing.assert_close(prior.predict_noise(latent, 7), noise, atol=1e-5, rtol=1e-5)


def test_metadata_comes_back(tmp_path):
    window = Window(-1000.0, 1000.0)
    write_bundle(
        tmp_path / "b",
        "mine",
        AUTOENCODER.build(),
        AUTOENCODER,
        UNET.build(),
        UNET,
        1.7,
        window,
        {"k": 1},
    )
    prior = read_bundle(tmp_path / "b")
    assert (prior.name, prior.scale, prior.window) == ("mine", 1.7, window)
    assert json.loads((tmp_path / "b" / "configs" / "metadata.json").read_text())["training"] == {"k": 1}


def test_networks_are_ready_for_inference(tiny_prior):
    for network in (tiny_prior.autoencoder, tiny_prior.unet):
        assert not network.training
        assert all(p.dtype == torch.float32 and not p.requires_grad for p in network.parameters())


def test_copies_share_their_hash_and_other_weights_do_not(bundle, tiny_prior, tmp_path):
    assert read_bundle(bundle).sha256 == tiny_prior.sha256
    write_bundle(
        tmp_path / "b",
        "tiny",
        AUTOENCODER.build(),
        AUTOENCODER,
        UNET.build(),
        UNET,
        1.0,
        Window(),
        {},
    )
    assert read_bundle(tmp_path / "b").sha256 != tiny_prior.sha256


def test_existing_folder_is_left_alone(bundle):
    before = sorted(bundle.rglob("*"))
    with pytest.raises(PriorError, match="exists, expected a new folder"):
        write_bundle(bundle, "x", AUTOENCODER.build(), AUTOENCODER, UNET.build(), UNET, 1.0, Window(), {})
    assert sorted(bundle.rglob("*")) == before


def test_failed_write_leaves_no_bundle_and_can_be_tried_again(tmp_path):
    def write(training):
        write_bundle(
            tmp_path / "b",
            "x",
            AUTOENCODER.build(),
            AUTOENCODER,
            UNET.build(),
            UNET,
            1.0,
            Window(),
            training,
        )

    with pytest.raises(TypeError):
        write({"not for JSON": object()})
    assert not (tmp_path / "b").exists()
    write({})
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(
        PriorError, match=f"--prior {tmp_path}: no configs/metadata.json, expected a bundle"
    ):
        read_bundle(tmp_path)


@pytest.mark.parametrize("change", [{"version": 2}, {"format": "other"}, {"format": None}])
def test_another_version_or_format_is_refused(bundle, change):
    edit(bundle, **change)
    with pytest.raises(PriorError, match=r"format and version are .* expected .'resample-ct-prior', 1"):
        read_bundle(bundle)


@pytest.mark.parametrize("part", ["autoencoder", "unet"])
def test_changed_weights_are_refused(bundle, part):
    path = bundle / "models" / f"{part}.pt"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(bytes(damaged))
    with pytest.raises(
        PriorError, match=rf"{part}.pt: its sha256 is .* expected .* copy the bundle again"
    ):
        read_bundle(bundle)


@pytest.mark.parametrize("part", ["autoencoder", "unet"])
def test_missing_weights_are_refused(bundle, part):
    (bundle / "models" / f"{part}.pt").unlink()
    with pytest.raises(PriorError, match=f"{part}.pt: missing"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": {}},
        {"unet": {"width": 3}},
        {"unet": None},
        {"window_hu": [5, 1]},
        {"latent_scale": "x"},
    ],
)
def test_damaged_metadata_is_refused(bundle, change):
    edit(bundle, **change)
    with pytest.raises(PriorError, match=r"metadata.json: cannot be understood"):
        read_bundle(bundle)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_metadata_that_is_none_is_refused(bundle, text):
    (bundle / "configs" / "metadata.json").write_text(text)
    with pytest.raises(PriorError, match=r"metadata.json: cannot be understood"):
        read_bundle(bundle)
