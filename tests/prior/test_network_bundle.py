"""One network on disk: what is written is what is read, and damage is refused."""

from __future__ import annotations

import json

import pytest
import torch

from resample_ct.errors import PriorError
from resample_ct.prior.denoiser import DnCNNSettings, UNetDenoiserSettings
from resample_ct.prior.network_bundle import KINDS, read_network, write_network
from resample_ct.prior.pixel import PixelUNetSettings
from resample_ct.prior.residual_unet import ResidualUNetSettings
from resample_ct.units import Window

SMALL = {
    "pixel": PixelUNetSettings(channels=(8, 8, 8, 8), head_channels=8, norm_groups=4),
    "dncnn": DnCNNSettings(depth=4, features=8, sigma=0.03),
    "unet-denoiser": UNetDenoiserSettings(ResidualUNetSettings((8, 8, 8, 8, 8), 4), 0.02),
}


def write(folder, kind):
    torch.manual_seed(0)
    network = SMALL[kind].build()
    write_network(folder, kind, "small", network, SMALL[kind], Window(-1000, 1500), {"steps": 1})
    return network


@pytest.mark.parametrize("kind", list(KINDS))
def test_read_is_what_was_written(tmp_path, kind):
    network = write(tmp_path / "b", kind)
    found = read_network(tmp_path / "b")
    assert (found.kind, found.name, found.settings) == (kind, "small", SMALL[kind])
    assert found.window == Window(-1000, 1500) and len(found.sha256) == 64
    for name, value in network.state_dict().items():
        assert torch.equal(found.network.state_dict()[name], value.half().float())
    assert not any(p.requires_grad for p in found.network.parameters())


def test_half_written_bundle_is_never_seen(tmp_path):
    write(tmp_path / "b", "dncnn")
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_existing_folder_is_refused(tmp_path):
    with pytest.raises(PriorError, match="exists"):
        write(tmp_path, "dncnn")


def damaged(tmp_path, change):
    write(tmp_path / "b", "dncnn")
    path = tmp_path / "b" / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    change(metadata)
    path.write_text(json.dumps(metadata))
    return tmp_path / "b"


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda m: m.update(version=9), "version"),
        (lambda m: m.update(kind="oracle"), "cannot be understood"),
        (lambda m: m["settings"].update(depth="deep"), "cannot be understood"),
        (lambda m: m.update(sha256="0" * 64), "sha256"),
    ],
)
def test_damage_is_refused(tmp_path, change, told):
    with pytest.raises(PriorError, match=told):
        read_network(damaged(tmp_path, change))


def test_missing_weights_and_missing_bundle_are_refused(tmp_path):
    write(tmp_path / "b", "dncnn")
    (tmp_path / "b" / "models" / "network.pt").unlink()
    with pytest.raises(PriorError, match="missing"):
        read_network(tmp_path / "b")
    with pytest.raises(PriorError, match="expected a network's bundle"):
        read_network(tmp_path)
