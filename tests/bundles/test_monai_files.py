"""A bundle in MONAI's own hands."""

from __future__ import annotations

import json
import sys

import monai.bundle
import pytest
import torch
import yaml
from cards import STATED
from laws import fill_zero_weights
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.bundle.properties import MetaProperties

from resample_ct.bundles.bundle import half_precision, read_bundle, read_card, write_bundle
from resample_ct.bundles.card import LatentPriorCard
from resample_ct.bundles.monai_files import card_fields, definitions, metadata, readme
from resample_ct.networks.settings import UNetSettings, VQAutoencoderSettings
from resample_ct.reconstruct.resample_settings import settings_from

# Of Project-MONAI's meta_schema_20240725.json; the shipped metadata passed `verify_metadata` against it.
REQUIRED = {
    "schema": str,
    "version": str,
    "monai_version": str,
    "pytorch_version": str,
    "numpy_version": str,
    "required_packages_version": dict,
    "task": str,
    "description": str,
    "authors": str,
    "copyright": str,
    "network_data_format": dict,
}
TENSOR = {"type", "format", "num_channels", "spatial_shape", "dtype", "value_range"}


@pytest.fixture(scope="module")
def vq_bundle(tmp_path_factory):
    """A bundle of three-channel networks with a codebook, as a converted one is."""
    torch.manual_seed(0)
    card = LatentPriorCard(
        **STATED,
        autoencoder=VQAutoencoderSettings(channels=(8, 8, 8), codes=16, num_res_blocks=1, norm_groups=4),
        unet=UNetSettings(channels=(8, 8, 8, 8), latent_channels=3, head_channels=8, norm_groups=4),
        latent_scale=1.0,
        image_size=64,
    )
    folder = tmp_path_factory.mktemp("vq") / "vq"
    weights = {name: half_precision(part.build()) for name, part in card.networks.items()}
    write_bundle(folder, card, weights)
    return folder


@pytest.fixture(params=["shipped", "tiny", "vq"])
def bundle(request, tiny_bundle, vq_bundle):
    return {"shipped": LatentPriorCard.shipped(), "tiny": tiny_bundle, "vq": vq_bundle}[request.param]


def parse(bundle):
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser.read_meta(str(bundle / "configs" / "metadata.json"))
    parser["bundle_root"] = str(bundle)
    return parser


@pytest.fixture
def parser(bundle):
    return parse(bundle)


def test_metadata_has_what_monais_schema_requires(bundle):
    content = json.loads((bundle / "configs" / "metadata.json").read_text())
    for name, kind in REQUIRED.items():
        assert isinstance(content[name], kind), name
    assert content["version"] in content["changelog"]
    for name, formats in content.items():
        if name.endswith("_data_format"):
            for side in ("inputs", "outputs"):
                assert all(set(tensor) >= TENSOR for tensor in formats[side].values())


def test_metadata_has_every_property_that_monai_knows(parser):
    for name, about in MetaProperties.items():
        assert parser.get(about["id"]) is not None, name


def test_card_survives_metadata(bundle):
    card = read_card(bundle, LatentPriorCard)
    assert LatentPriorCard.model_validate(card_fields(json.loads(json.dumps(metadata(card))))) == card


def test_config_describes_the_networks_that_the_card_gives(bundle):
    config = json.loads((bundle / "configs" / "inference.json").read_text())
    card = read_card(bundle, LatentPriorCard)
    assert {name: config[name] for name in definitions(card)} == definitions(card)


def test_monai_builds_and_loads_the_networks_that_we_do(parser, bundle):
    prior = read_bundle(bundle)
    for name, ours in (("autoencoder", prior.autoencoder), ("unet", prior.unet)):
        theirs = parser.get_parsed_content(name)
        assert type(theirs) is type(ours) and not theirs.training
        for key, value in ours.state_dict().items():
            assert torch.equal(theirs.state_dict()[key], value), key


def test_monai_finds_the_stated_shapes(bundle):
    monai.bundle.verify_net_in_out(
        "unet",
        meta_file=str(bundle / "configs" / "metadata.json"),
        config_file=str(bundle / "configs" / "inference.json"),
        device="cpu",
        extra_forward_args={"timesteps": torch.tensor([5])},
        bundle_root=str(bundle),
    )


def test_monai_draws_a_slice(vq_bundle):
    parser = parse(vq_bundle)
    parser["sampling_steps"] = 2
    image = parser.get_parsed_content("sample")
    assert image.shape == (1, 3, 64, 64) and image.isfinite().all()


@pytest.mark.parametrize("prediction", ["noise", "velocity", "clean"])
def test_monais_scheduler_takes_what_the_unet_gives_for_what_it_is(vq_bundle, tmp_path, prediction):
    card = read_card(vq_bundle, LatentPriorCard).model_copy(update={"prediction": prediction})
    prior = read_bundle(vq_bundle)
    write_bundle(
        tmp_path / "b",
        card,
        {
            "autoencoder": half_precision(prior.autoencoder),
            "unet": half_precision(fill_zero_weights(prior.unet)),
        },
    )
    scheduler = parse(tmp_path / "b").get_parsed_content("scheduler")
    scheduler.set_timesteps(10)
    prior, t = read_bundle(tmp_path / "b"), int(scheduler.timesteps[4])
    z = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        _, clean = scheduler.step(prior.unet(z, torch.tensor([t])), t, z)
        expected = prior.schedule.tweedie(z, prior.predict_noise(z, t), t)
    # MONAI's schedule is in single precision.
    torch.testing.assert_close(clean, expected, atol=1e-3, rtol=1e-3)


def test_monai_reconstructs_a_study(tiny_bundle, series, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    workflow = ConfigWorkflow(
        str(tiny_bundle / "configs" / "inference.json"),
        logging_file=False,
        workflow_type="infer",
        bundle_root=str(tiny_bundle),
        dataset_dir=str(series(3)),
        output_dir=str(tmp_path / "out"),
        slices=1,
        **{
            "job::settings": settings_from(
                "fast",
                ["steps=2", "pixel=piccs:0.5,2", "final=piccs:0.5,2", "final_latent_iterations=2"],
            )
        },
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["models"]["prior"] == {"name": "tiny", "sha256": read_bundle(tiny_bundle).sha256}
    assert [r["slice"] for r in json.loads((tmp_path / "out" / "metrics.json").read_text())] == [1]


def test_model_card_and_licence_say_what_a_reader_needs(bundle):
    card = read_card(bundle, LatentPriorCard)
    text = (bundle / "docs" / "README.md").read_text()
    for fact in (card.name, card.description, card.licence, card.data_source, *card.sha256.values()):
        assert fact in text
    assert "not for diagnosis" in text
    assert card.licence in (bundle / "LICENSE").read_text()


@pytest.mark.parametrize(
    ("licence", "named"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ('ours: "research" only', {"license": "other", "license_name": 'ours: "research" only'}),
    ],
)
def test_model_card_begins_with_what_a_hub_files_it_by(tiny_bundle, licence, named):
    card = read_card(tiny_bundle, LatentPriorCard).model_copy(update={"licence": licence})
    empty, header, text = readme(card).split("---\n", 2)
    found = yaml.safe_load(header)
    assert not empty and text.startswith("\n# tiny")
    assert {key: found.get(key) for key in named} == named
    assert found["library_name"] == "monai" and "computed-tomography" in found["tags"]
