"""A prior on disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import ClassVar, Literal

import pytest
import torch
from cards import STATED
from laws import fill_zero_weights

from resample_ct.bundles.bundle import (
    half_precision,
    read_bundle,
    read_card,
    read_networks,
    weights_hash,
    write_bundle,
)
from resample_ct.bundles.card import BundleCard, LatentPriorCard, tensor_format
from resample_ct.errors import PriorError
from resample_ct.networks.settings import AutoencoderSettings, UNetSettings, VQAutoencoderSettings
from resample_ct.values.units import Window

AUTOENCODER = AutoencoderSettings(channels=(8, 8, 16), latent_channels=3, norm_groups=4)
VQ = VQAutoencoderSettings(
    channels=(8, 8, 8), codes=16, num_res_blocks=1, norm_groups=4, attention_levels=(False,) * 3
)
UNET = UNetSettings(channels=(8, 8, 8, 8), latent_channels=3, head_channels=4, norm_groups=4)


def card(**changes):
    fields = {
        **STATED,
        "autoencoder": AUTOENCODER,
        "unet": UNET,
        "latent_scale": 1.7,
    }
    return LatentPriorCard(**fields | changes)


def networks(autoencoder=AUTOENCODER):
    torch.manual_seed(3)
    return {"autoencoder": autoencoder.build(), "unet": fill_zero_weights(UNET.build())}


def write(folder, a_card, built=None):
    built = built or networks(a_card.autoencoder)
    write_bundle(folder, a_card, {name: half_precision(network) for name, network in built.items()})
    return folder


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, which is a disk without space")
def test_full_disk_leaves_no_bundle(tmp_path, monkeypatch):
    save = torch.save
    monkeypatch.setattr(torch, "save", lambda state, path: save(state, "/dev/full"))
    with pytest.raises(PriorError, match=r"autoencoder.pt: cannot be written .* free some space"):
        write(tmp_path / "b", card())
    assert not (tmp_path / "b").exists()


@pytest.fixture
def bundle(tiny_bundle, tmp_path):
    """A copy of the tiny bundle, to damage."""
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")


def edit(bundle, file="metadata", section=None, **changes):
    path = bundle / "configs" / f"{file}.json"
    content = json.loads(path.read_text())
    if section:
        content[section] |= changes
    else:
        content |= changes
    path.write_text(json.dumps(content))


def edit_card(bundle, **changes):
    edit(bundle, section="resample_ct", **changes)


def test_read_gives_the_half_precision_networks(tmp_path):
    built = networks()
    prior = read_bundle(write(tmp_path / "b", card(), built))
    autoencoder, unet = (network.half().float().eval() for network in built.values())
    x = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        latent = autoencoder.encode(2 * x - 1)[0] / 1.7
        torch.testing.assert_close(prior.encode(x), latent, atol=1e-5, rtol=1e-5)
        image = 0.5 * (autoencoder.decode(1.7 * latent) + 1)
        torch.testing.assert_close(prior.decode(latent), image, atol=1e-5, rtol=1e-5)
        noise = unet(latent, torch.tensor([7]))
        torch.testing.assert_close(prior.predict_noise(latent, 7), noise, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_weights_come_back_in_the_bits_that_they_went(tmp_path, dtype):
    states = {
        name: {k: v.to(dtype) for k, v in network.state_dict().items()}
        for name, network in networks().items()
    }
    write_bundle(tmp_path / "b", card(), states)
    for name, network in read_networks(
        tmp_path / "b", read_card(tmp_path / "b", LatentPriorCard)
    ).items():
        for key, value in network.state_dict().items():
            assert torch.equal(value.to(dtype), states[name][key])


def test_views_do_not_drag_their_storage_along(tmp_path):
    states = {name: dict(network.state_dict()) for name, network in networks().items()}
    sizes = []
    for folder in ("whole", "views"):
        write_bundle(tmp_path / folder, card(), states)
        sizes.append((tmp_path / folder / "models" / "unet.pt").stat().st_size)
        for key, value in states["unet"].items():
            states["unet"][key] = torch.cat([value.flatten(), torch.zeros(9999)])[:-9999].view_as(value)
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("autoencoder", [AUTOENCODER, VQ])
def test_card_comes_back(tmp_path, autoencoder):
    written = card(
        autoencoder=autoencoder,
        window_hu=(-1000.0, 1000.0),
        spacing_mm=(0.5, 1.5),
        training={"seed": 3, "held_out": ["p"]},
        quantise=False,
    )
    read = read_card(write(tmp_path / "b", written), LatentPriorCard)
    assert read.sha256.keys() == {"autoencoder", "unet"}
    assert read.model_copy(update={"sha256": {}}) == written
    prior = read_bundle(tmp_path / "b")
    assert (prior.name, prior.scale, prior.window) == ("mine", 1.7, Window(-1000.0, 1000.0))
    assert (prior.spacing_mm, prior.quantise, prior.image_size) == ((0.5, 1.5), False, 256)


def test_shipped_bundle_needs_no_path():
    assert read_bundle().sha256 == weights_hash(read_card(LatentPriorCard.shipped(), LatentPriorCard))


def test_networks_are_ready_for_inference(tiny_prior):
    for network in (tiny_prior.autoencoder, tiny_prior.unet):
        assert not network.training
        assert all(p.dtype == torch.float32 and not p.requires_grad for p in network.parameters())


def test_reading_leaves_the_global_random_numbers_alone(tiny_bundle):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    read_bundle(tiny_bundle)
    assert torch.equal(torch.rand(1), expected)


def test_copies_share_their_hash_and_other_weights_do_not(bundle, tiny_prior, tmp_path):
    assert read_bundle(bundle).sha256 == tiny_prior.sha256
    assert read_bundle(write(tmp_path / "b", card())).sha256 != tiny_prior.sha256


def test_existing_folder_is_left_alone(bundle):
    before = sorted(bundle.rglob("*"))
    with pytest.raises(PriorError, match="exists, expected a new folder"):
        write(bundle, card())
    assert sorted(bundle.rglob("*")) == before


def test_failed_write_leaves_no_bundle_and_can_be_tried_again(tmp_path, monkeypatch):
    with monkeypatch.context() as broken, pytest.raises(OSError, match="full"):
        broken.setattr(
            "resample_ct.bundles.bundle.readme", lambda card: (_ for _ in ()).throw(OSError("full"))
        )
        write(tmp_path / "b", card())
    assert not (tmp_path / "b").exists()
    write(tmp_path / "b", card())
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_weights_of_another_network_are_not_written(tmp_path):
    other = UNetSettings(channels=(8, 8), attention_levels=(False, True), head_channels=8, norm_groups=4)
    with pytest.raises(
        PriorError, match=r"network unet: weight .* is missing, unknown or of another shape"
    ):
        write(tmp_path / "b", card(), networks() | {"unet": other.build()})
    assert not (tmp_path / "b").exists()


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    built = networks()
    with torch.no_grad():
        built["unet"].out[2].conv.bias[0] = 1e6  # infinite in half precision
    with pytest.raises(PriorError, match=r"weight out.2.conv.bias holds NaN or infinity"):
        write(tmp_path / "b", card(), built)


class OtherCard(BundleCard):
    """Another kind: one network."""

    method: ClassVar[str] = "other"
    kind: Literal["other"] = "other"
    unet: UNetSettings

    @property
    def networks(self):
        return {"unet": self.unet}

    @property
    def data_formats(self):
        slices = {"image": tensor_format("image", 1, 256, [0.0, 1.0])}
        return {"network_data_format": {"inputs": slices, "outputs": {"pred": slices["image"]}}}


@pytest.fixture
def other_bundle(tmp_path):
    built = UNET.build()
    other = OtherCard(**STATED, unet=UNET)
    write_bundle(tmp_path / "other", other, {"unet": built.state_dict()})
    return tmp_path / "other"


def test_other_kinds_are_kept_in_the_same_way(other_bundle):
    read = read_card(other_bundle, OtherCard)
    assert read.unet == UNET and list(read_networks(other_bundle, read)) == ["unet"]


def test_other_kind_is_refused_as_a_latent_prior(other_bundle, bundle):
    with pytest.raises(PriorError, match="kind is 'other', expected 'latent-prior'; name a bundle of"):
        read_bundle(other_bundle)
    with pytest.raises(PriorError, match="kind is 'latent-prior', expected 'other'"):
        read_card(bundle, OtherCard)


def test_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(
        PriorError, match=f"--prior {tmp_path}: no configs/metadata.json, expected a bundle"
    ):
        read_bundle(tmp_path)


@pytest.mark.parametrize("found", [1, 3, "2", None])
def test_another_format_is_refused(bundle, found):
    edit_card(bundle, bundle_format=found)
    with pytest.raises(PriorError, match=f"bundle_format is {found!r}, expected 2"):
        read_bundle(bundle)


@pytest.mark.parametrize("content", [{"format": "resample-ct-prior", "version": 1}, {}, []])
def test_bundle_of_another_program_or_the_first_release_is_refused(bundle, content):
    (bundle / "configs" / "metadata.json").write_text(json.dumps(content))
    with pytest.raises(PriorError, match="no section resample_ct, expected a bundle of format 2"):
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


DAMAGE = [
    ("sha256", {}, "its sha256 is"),
    ("unet", {"width": 3}, "unet"),
    ("unet", None, "unet"),
    ("autoencoder", {"architecture": "gan"}, "autoencoder: Input tag 'gan' .* does not match any"),
    ("window_hu", [5, 1], "HU window: found 5.0 to 1.0"),
    ("window_hu", [1], "window_hu"),
    ("latent_scale", "x", "latent_scale"),
    ("latent_scale", 0.0, "latent_scale"),
    ("spacing_mm", [2, 1], "spacing_mm: found .* expected ascending"),
    ("surprise", 1, "surprise: Extra inputs are not permitted"),
]


@pytest.mark.parametrize("name, value, reason", DAMAGE)
def test_damaged_card_is_refused_by_name(bundle, name, value, reason):
    edit_card(bundle, **{name: value})
    with pytest.raises(PriorError, match=reason):
        read_bundle(bundle)


def test_settings_that_no_network_has_are_refused(bundle):
    unet = json.loads((bundle / "configs" / "metadata.json").read_text())["resample_ct"]["unet"]
    edit_card(bundle, unet=unet | {"norm_groups": 7})
    with pytest.raises(PriorError, match=r"multiple of norm_num_groups|describes another network"):
        read_bundle(bundle)


@pytest.mark.parametrize("text", ["", "{"])
@pytest.mark.parametrize("file", ["metadata", "inference"])
def test_file_that_is_not_json_is_refused(bundle, file, text):
    (bundle / "configs" / f"{file}.json").write_text(text)
    with pytest.raises(PriorError, match=rf"{file}.json: cannot be understood"):
        read_bundle(bundle)


def test_missing_config_is_refused(bundle):
    (bundle / "configs" / "inference.json").unlink()
    with pytest.raises(PriorError, match=r"inference.json: missing"):
        read_bundle(bundle)


def test_config_of_another_network_is_refused(bundle):
    definition = json.loads((bundle / "configs" / "inference.json").read_text())["unet_def"]
    edit(bundle, "inference", unet_def=definition | {"norm_eps": 1e-6})
    with pytest.raises(PriorError, match=r"inference.json: unet_def describes another network than"):
        read_bundle(bundle)


def test_config_is_never_run(bundle, tmp_path):
    command = f"$__import__('pathlib').Path({str(tmp_path / 'ran')!r}).touch()"
    edit(bundle, "inference", imports=[command], initialize=[command], run=[command])
    read_bundle(bundle)
    edit(bundle, "inference", unet_def={"_target_": "os.system", "command": f"touch {tmp_path / 'ran'}"})
    with pytest.raises(PriorError, match="unet_def describes another network"):
        read_bundle(bundle)
    assert not (tmp_path / "ran").exists()


def test_code_in_the_card_is_refused_and_not_run(bundle, tmp_path):
    target = {"_target_": "os.system", "command": f"touch {tmp_path / 'ran'}"}
    edit_card(bundle, unet=target)
    with pytest.raises(PriorError, match="cannot be understood"):
        read_bundle(bundle)
    assert not (tmp_path / "ran").exists()
