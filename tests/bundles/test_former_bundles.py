"""Bundles written before the modules moved still load; what they name today stays where it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import resample_ct
from resample_ct.bundles.bundle import check_config, read_card
from resample_ct.bundles.card import LatentPriorCard
from resample_ct.bundles.denoiser import DnCNNCard, UNetDenoiserCard
from resample_ct.bundles.fbp_unet import FBPUNetCard
from resample_ct.bundles.kinds import BUNDLES
from resample_ct.bundles.monai_files import as_of_today
from resample_ct.bundles.pixel_prior import PixelPriorCard
from resample_ct.bundles.refiner import RefinerCard
from resample_ct.errors import PriorError
from resample_ct.run.job import Job

# configs/ of the six bundles that commit 29ba692 shipped; their weights are those shipped today.
FORMER = Path(__file__).parent / "written_by_29ba692"
KINDS = {
    kind.option: kind
    for kind in (LatentPriorCard, DnCNNCard, UNetDenoiserCard, FBPUNetCard, PixelPriorCard, RefinerCard)
}


def test_every_kind_is_in_the_list():
    assert KINDS.keys() == BUNDLES.keys()


@pytest.mark.parametrize("name", KINDS)
def test_former_bundle_describes_the_networks_of_today(name):
    card = read_card(FORMER / name, KINDS[name])
    check_config(FORMER / name, card)
    assert (
        card.sha256
        and "resample_ct.networks." not in (FORMER / name / "configs" / "inference.json").read_text()
    )


def test_former_bundle_is_read_whole(tmp_path):
    shutil.copytree(FORMER / "dncnn", tmp_path / "b")
    with pytest.raises(PriorError, match=r"dncnn.pt: missing|denoiser.pt: missing"):
        BUNDLES["dncnn"].read(tmp_path / "b")
    shutil.copytree(DnCNNCard.shipped() / "models", tmp_path / "b" / "models")
    assert BUNDLES["dncnn"].read(tmp_path / "b").sha256 == BUNDLES["dncnn"].read().sha256


def test_other_target_than_a_former_one_stays_as_it_is():
    assert as_of_today({"_target_": "os.system"}) == {"_target_": "os.system"}


@pytest.mark.parametrize("name", KINDS)
def test_shipped_bundle_names_public_paths_alone(name):
    text = (KINDS[name].shipped() / "configs" / "inference.json").read_text()
    config = json.loads(text)
    targets = [part["_target_"] for part in config.values() if isinstance(part, dict)]
    ours = {target for target in targets if target.startswith("resample_ct.")}
    assert ours and all(target.count(".") == (2 if ".networks." in target else 1) for target in ours)
    for target in ours:
        found = resolve(target)
        assert isinstance(found, type)
    assert "$from resample_ct import run_job" in config["imports"]


def resolve(target):
    """As MONAI finds what a config names."""
    found = resample_ct
    for part in target.split(".")[1:]:
        found = getattr(found, part)
    return found


def test_a_bundles_job_is_the_public_one():
    assert resample_ct.Job is Job
