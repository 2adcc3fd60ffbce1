"""Real slices, synthetic series and a tiny prior for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from hypothesis import settings
from laws import fill_zero_weights

from resample_ct.prior.latent import LatentPrior

# Time is not a law: a busy machine must not fail a test.
settings.register_profile("laws", deadline=None)
settings.load_profile("laws")

if "PYTEST_XDIST_WORKER" in os.environ:
    # As many workers as processors: threads beside them would only wait for each other.
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"

SAMPLE = Path(__file__).parent.parent / "sample_data" / "Lung_Dx-A0002" / "3-B40f"


@pytest.fixture(scope="session")
def sample_series() -> Path:
    """The shipped CT series: 30 real slices."""
    return SAMPLE


@pytest.fixture
def series(tmp_path: Path) -> Callable[..., Path]:
    """Copies some real slices to a new folder, each changed by `edit(dataset, index)`."""

    def make(
        count: int = 4,
        edit: Callable[[pydicom.Dataset, int], None] = lambda dataset, index: None,
        name: str = "series",
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for index, path in enumerate(sorted(SAMPLE.glob("*.dcm"))[:count]):
            dataset = pydicom.dcmread(path)
            edit(dataset, index)
            dataset.save_as(folder / f"{index:02d}.dcm")
        return folder

    return make


@pytest.fixture
def real_slice(sample_series: Path) -> torch.Tensor:
    """One real slice, (1, 1, 256, 256) relative attenuation in [0, 1]."""
    from resample_ct.io.read import read_study
    from resample_ct.values.network_grid import network_slices
    from resample_ct.values.units import Window

    study = read_study(sorted(sample_series.glob("*.dcm"))[12])
    return network_slices(study.volume, Window())[0]


@pytest.fixture
def rng() -> np.random.Generator:
    """Seeded random numbers."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prior's bundle of very small networks with seeded random weights."""
    from resample_ct.bundles.bundle import half_precision, write_bundle
    from resample_ct.bundles.card import LatentPriorCard
    from resample_ct.networks.settings import AutoencoderSettings, UNetSettings

    torch.manual_seed(0)
    autoencoder = AutoencoderSettings(channels=(8, 8, 8), norm_groups=4)
    unet = UNetSettings(channels=(8, 8, 8, 8), head_channels=8, norm_groups=4)
    folder = tmp_path_factory.mktemp("prior") / "tiny"
    card = LatentPriorCard(
        name="tiny",
        description="Very small networks of random weights.",
        authors="the tests",
        data_source="none",
        licence="Apache-2.0",
        autoencoder=autoencoder,
        unet=unet,
        latent_scale=1.0,
    )
    weights = {
        "autoencoder": half_precision(autoencoder.build()),
        "unet": half_precision(fill_zero_weights(unet.build())),
    }
    write_bundle(folder, card, weights)
    return folder


@pytest.fixture(scope="session")
def tiny_prior(tiny_bundle: Path) -> LatentPrior:
    """The tiny bundle, read."""
    from resample_ct.bundles.bundle import read_bundle

    return read_bundle(tiny_bundle)
