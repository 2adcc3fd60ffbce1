"""A bundle's `configs/train.json` in MONAI's own hands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from monai.bundle import ConfigParser, ConfigWorkflow

from fine_tune.cli import _run, fine_tune
from resample_ct.bundles.bundle import read_bundle, read_card
from resample_ct.bundles.card import LatentPriorCard
from resample_ct.bundles.denoiser import DnCNNCard
from resample_ct.bundles.monai_files import train_config


def train(bundle, studies, out, monkeypatch):
    """As `python -m monai.bundle run --config_file configs/train.json` does, for one step."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    workflow = ConfigWorkflow(
        str(bundle / "configs" / "train.json"),
        logging_file=False,
        workflow_type="train",
        bundle_root=str(bundle),
        dataset_dir=str(studies),
        output_dir=str(out),
        steps=1,
        **{"loop::batch": 1, "loop::validate_every": 0, "training::name": "ours"},
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()


def test_monai_trains_a_latent_prior_further(tiny_bundle, studies, tmp_path, monkeypatch):
    train(tiny_bundle, studies("ABC", 1), tmp_path / "new", monkeypatch)
    card = read_card(tmp_path / "new", LatentPriorCard)
    assert card.name == "ours" and card.training["from"]["name"] == "tiny"
    start, end = read_bundle(tiny_bundle), read_bundle(tmp_path / "new")
    assert start.sha256 != end.sha256 and start.scale == end.scale


def test_monai_trains_a_network_of_another_kind_further(studies, tmp_path, monkeypatch):
    train(DnCNNCard.shipped(), studies("ABC", 1), tmp_path / "new", monkeypatch)
    card, shipped = read_card(tmp_path / "new", DnCNNCard), read_card(DnCNNCard.shipped(), DnCNNCard)
    assert card.training["from"]["sha256"] == shipped.sha256 and card.sigma == shipped.sigma


def test_the_config_asks_for_what_the_command_asks_for():
    parser = ConfigParser(train_config())
    parser["dataset_dir"], parser["output_dir"] = "tests", "new"
    options = (
        fine_tune.commands["prior"].make_context("prior", ["--data", "tests", "--out", "new"]).params
    )
    assert parser.get_parsed_content("training") == _run(options)


@pytest.mark.parametrize(
    "bundle", sorted(LatentPriorCard.shipped().parent.iterdir()), ids=lambda p: p.name
)
def test_every_shipped_bundle_can_be_trained_further(bundle: Path):
    assert json.loads((bundle / "configs" / "train.json").read_text()) == train_config()
