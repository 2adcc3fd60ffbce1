"""A whole training, cut short: studies in, bundle out, resumable to the same weights."""

from __future__ import annotations

import pydicom
import pytest
import torch

from fine_tune.prior import PriorTraining, train_prior
from resample_ct.errors import StudyError
from resample_ct.prior.bundle import read_bundle
from resample_ct.progress import silent


@pytest.fixture(scope="module")
def two_patients(sample_series, tmp_path_factory):
    root = tmp_path_factory.mktemp("studies")
    for patient, paths in (("A", (10, 11)), ("B", (20,))):
        (root / patient).mkdir()
        for index in paths:
            dataset = pydicom.dcmread(sample_series / f"1-{index:02d}.dcm")
            dataset.PatientID = patient
            dataset.save_as(root / patient / f"{index}.dcm")
    return root


def training(data, out, **changes):
    options = {
        "data": (data,),
        "out": out,
        "name": "short",
        "held_out": ("B",),
        "autoencoder_steps": 2,
        "unet_steps": 2,
        "seed": 0,
        "augmented_slices": 8,
    }
    return PriorTraining(**(options | changes))


@pytest.mark.slow
def test_interrupted_training_ends_in_the_same_bundle(two_patients, tmp_path):
    train_prior(training(two_patients, tmp_path / "whole"), lambda text: None, silent)

    def interrupt(text):
        if text.startswith("autoencoder"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_prior(training(two_patients, tmp_path / "cut"), interrupt, silent)
    assert not (tmp_path / "cut").exists()
    train_prior(training(two_patients, tmp_path / "cut"), lambda text: None, silent)
    whole, cut = read_bundle(tmp_path / "whole"), read_bundle(tmp_path / "cut")
    assert whole.sha256 == cut.sha256 and whole.scale == cut.scale
    image = cut.decode(cut.encode(torch.zeros(1, 1, 256, 256)))
    assert image.shape == (1, 1, 256, 256) and image.isfinite().all()


@pytest.mark.parametrize("held_out", [("C",), ("A", "B")])
def test_a_split_that_cannot_be_is_refused_before_training(two_patients, tmp_path, held_out):
    with pytest.raises(StudyError, match="--hold-out"):
        train_prior(
            training(two_patients, tmp_path / "out", held_out=held_out), lambda text: None, silent
        )
    assert list(tmp_path.iterdir()) == []
