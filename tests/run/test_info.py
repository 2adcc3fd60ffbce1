"""What `resample-ct info` says of a bundle."""

from __future__ import annotations

import json

import pytest

from resample_ct.bundles.bundle import read_bundle
from resample_ct.bundles.fbp_unet import FBPUNetCard
from resample_ct.errors import PriorError
from resample_ct.run.info import describe


def test_prior_is_described_without_running_it(tiny_bundle):
    said = describe(tiny_bundle)
    assert said["kind"] == "latent-prior" and said["name"] == "tiny"
    assert said["sha256"] == read_bundle(tiny_bundle).sha256
    assert (said["HU window"], said["slices"]) == ("-1000 to 2000", "256 x 256")
    assert said["pixel trained on (mm)"] == "not recorded"


def test_other_kind_is_described_too():
    assert describe(FBPUNetCard.shipped())["kind"] == "fbp-unet"


def test_unknown_kind_is_refused_with_those_known(tmp_path):
    (tmp_path / "configs").mkdir()
    content = {"resample_ct": {"bundle_format": 2, "kind": "gan"}}
    (tmp_path / "configs" / "metadata.json").write_text(json.dumps(content))
    with pytest.raises(PriorError, match=r"kind is 'gan', expected 'latent-prior' or 'fbp-unet'"):
        describe(tmp_path)
