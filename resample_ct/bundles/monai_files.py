"""A bundle's text files as MONAI expects them, all made from its card: metadata, config, model card.

`configs/metadata.json` has MONAI's fields, and under `resample_ct` what MONAI has no field for. Shared
fields are stored once, under MONAI's names; `card_fields` puts both together again.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from resample_ct import __version__
from resample_ct.bundles.card import BundleCard

SECTION = "resample_ct"
INTENDED_USE = "Research only; not a medical device, not for diagnosis."
SCHEMA = "https://project-monai.github.io/schema/meta_schema_20240725.json"
PAPER = (
    "Song, B., Kwon, S. M. et al. Solving Inverse Problems with Latent Diffusion Models via Hard Data "
    "Consistency. ICLR 2024. https://arxiv.org/abs/2307.08123"
)
# Of the hub's identifiers, those of licences that weights are given under.
_HUB_LICENCES = (
    "apache-2.0",
    "mit",
    "bsd-3-clause",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
)
_SHARED = ("name", "version", "description", "authors", "data_source")


def _public_version(package: str) -> str:
    return version(package).partition("+")[0]


def metadata(card: BundleCard) -> dict[str, Any]:
    """`configs/metadata.json`, with every field that MONAI's schema of 2024-07-25 requires."""
    values = card.model_dump(mode="json")
    shared = {name: values.pop(name) for name in _SHARED}
    return {
        "schema": SCHEMA,
        "changelog": {card.version: f"written by resample-ct {__version__}"},
        "monai_version": _public_version("monai"),
        "pytorch_version": _public_version("torch"),
        "numpy_version": _public_version("numpy"),
        "required_packages_version": {"resample-ct": __version__, "einops": _public_version("einops")},
        "task": "Reconstruction of sparse-view CT",
        **shared,
        "copyright": f"{card.authors}. {card.licence}",
        "data_type": "dicom",
        "image_classes": "CT slice; HU in the window, mapped to -1 to 1",
        "intended_use": INTENDED_USE,
        "references": [PAPER],
        **card.data_formats,
        SECTION: values,
    }


def card_fields(content: dict[str, Any]) -> dict[str, Any]:
    """The card's fields in a `metadata.json`."""
    return {name: content[name] for name in _SHARED if name in content} | content[SECTION]


# What networks were called by bundles of before the first release, whose modules have moved since.
_FORMER_TARGETS = {
    "resample_ct.networks.denoiser.DnCNN": "resample_ct.networks.DnCNN",
    "resample_ct.networks.residual_unet.ResidualUNet": "resample_ct.networks.ResidualUNet",
    "resample_ct.networks.vq_autoencoder.VQAutoencoder": "resample_ct.networks.VQAutoencoder",
    "resample_ct.prior.denoiser.DnCNN": "resample_ct.networks.DnCNN",
    "resample_ct.prior.pixel.PixelUNet": "resample_ct.networks.PixelUNet",
    "resample_ct.prior.residual_unet.ResidualUNet": "resample_ct.networks.ResidualUNet",
    "resample_ct.prior.vq_autoencoder.VQAutoencoder": "resample_ct.networks.VQAutoencoder",
}


def as_of_today(definition: Any) -> Any:
    """A component of a MONAI config with its network's name of today."""
    if not isinstance(definition, dict):
        return definition
    target = str(definition.get("_target_"))
    return definition | {"_target_": _FORMER_TARGETS.get(target, target)}


def definitions(card: BundleCard) -> dict[str, Any]:
    """The networks as components of `inference.json`."""
    return {f"{name}_def": settings.definition() for name, settings in card.networks.items()}


def inference_config(card: BundleCard) -> dict[str, Any]:
    """`configs/inference.json`: the networks with their weights, and a `run` that reconstructs a study.

    Overridden on MONAI's command line as every config: --dataset_dir, --output_dir, --slices, --device.
    """
    loading: dict[str, Any] = {}
    for name in card.networks:
        loading[f"load_{name}"] = (
            f"$@{name}_def.load_state_dict(torch.load(@bundle_root + '/models/{name}.pt', "
            "weights_only=True, map_location='cpu'))"
        )
        loading[name] = {
            "_target_": f"$@{name}_def.to(@device).eval",
            "_requires_": [f"@load_{name}"],
        }
    return {
        "imports": [
            "$import torch",
            "$from pathlib import Path",
            "$from resample_ct import run_job",
        ],
        "bundle_root": ".",
        "dataset_dir": "study",
        "output_dir": "reconstruction",
        "slices": None,
        "device": "cpu",
        **definitions(card),
        **loading,
        **card.inference,
        "job": {
            "_target_": "resample_ct.Job",
            "source": "$Path(@dataset_dir)",
            "out": "$Path(@output_dir)",
            "methods": f"$({card.method!r},)",
            # MONAI's command line makes a number of 12.
            "slices": "$None if @slices is None else str(@slices)",
            "bundles": {card.option: "$Path(@bundle_root)"},
            "device": "@device",
        },
        "run": ["$run_job(@job)"],
    }


def train_config() -> dict[str, Any]:
    """`configs/train.json`: a `run` that trains the bundle further, of any kind and with any network.

    Overridden on MONAI's command line: --dataset_dir, --output_dir, --steps, --device, --training::name.
    """
    return {
        "imports": ["$from pathlib import Path", "$from fine_tune.further import train_further"],
        "bundle_root": ".",
        "dataset_dir": "studies",
        "output_dir": "fine-tuned",
        "steps": 1000,
        "device": "cpu",
        "loop": {
            "_target_": "fine_tune.loop.LoopSettings",
            "steps": "@steps",
            "learning_rate": 1e-5,
            "batch": 8,
            "seed": 0,
            "decay": "constant",
            "validate_every": 100,
        },
        "training": {
            "_target_": "fine_tune.run.Run",
            "data": "$(Path(@dataset_dir),)",
            "out": "$Path(@output_dir)",
            "name": "local",
            "version": "1.0.0",
            "authors": "not stated",
            "data_source": "not stated",
            "licence": "not stated",
            "split": "$Path(@output_dir + '.split.json')",
            "held_out": None,
            "train_slices": 2000,
            "validation_slices": 300,
            "strict": False,
            "anatomy": 0.0,
            "device": "@device",
            "loop": "@loop",
        },
        "run": ["$train_further(Path(@bundle_root), @training)"],
    }


def front_matter(card: BundleCard) -> str:
    """The YAML header by which the Hugging Face Hub files a model card."""
    known = card.licence.lower()
    named = [f"license: {known}"]
    if known not in _HUB_LICENCES:
        named = ["license: other", f"license_name: {json.dumps(card.licence)}"]
    tags = ("medical", "computed-tomography", "reconstruction", "dicom", "monai", card.kind)
    lines = [*named, "library_name: monai", "pipeline_tag: image-to-image", "tags:"]
    return "\n".join(["---", *lines, *(f"- {tag}" for tag in tags), "---", ""])


def readme(card: BundleCard) -> str:
    """`docs/README.md`, the model card."""
    low, high = card.window_hu
    spacing = "not recorded"
    if card.spacing_mm is not None:
        spacing = f"{card.spacing_mm[0]:g} to {card.spacing_mm[1]:g} mm"
    hashes = "\n".join(f"| `models/{name}.pt` | {value} |" for name, value in card.sha256.items())
    return f"""{front_matter(card)}
# {card.name}

{card.description}

**{INTENDED_USE}**

| | |
|---|---|
| kind | {card.kind} |
| slices | {card.image_size} x {card.image_size} pixels, HU {low:g} to {high:g} |
| pixel spacing trained on | {spacing} |
| data | {card.data_source} |
| weights by | {card.authors} |
| licence | {card.licence} |

## Use

```
resample-ct reconstruct STUDY --method {card.method} --{card.option} BUNDLE --out OUT
```

or through MONAI, from this folder (`pip install fire` first, which MONAI's command line needs):

```
python -m monai.bundle run --config_file configs/inference.json --dataset_dir STUDY --output_dir OUT
python -m monai.bundle run --config_file configs/train.json --dataset_dir STUDIES --output_dir NEW
```

The second trains it further on studies of your own, as `resample-ct fine-tune --init` does.

Method: {PAPER}

## Training

```json
{json.dumps(card.training, indent=2)}
```

## Weights

| file | sha256 |
|---|---|
{hashes}
"""


def licence(card: BundleCard) -> str:
    """`LICENSE`."""
    return f"{card.name} {card.version}\n\nWeights: {card.licence}\n\nTraining data: {card.data_source}\n"
