"""Tissues are told apart by HU and place, and the table is what was measured."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from fine_tune.tissues import TISSUES, measure_tissues
from fine_tune.training_data import prepare
from resample_ct.values.units import Window

TRAIN = Path(os.environ.get("RESAMPLE_CT_SHARED", Path(__file__).parents[3] / "shared")) / "ct" / "train"
SPACING_MM = 1.5


def chest(noise=0.0):
    """Two lungs about a heart in fat, and a vertebra behind, all of one HU each."""
    rows, columns = (np.mgrid[:256, :256] - 127.5) * SPACING_MM
    hu = np.full((256, 256), -1000.0)

    def disc(x, y, across, down, value):
        hu[np.hypot((columns - x) / across, (rows - y) / down) < 1] = value

    disc(0, 0, 170, 120, -105.0)
    disc(0, 0, 145, 95, 45.0)
    disc(-75, -5, 50, 65, -830.0)
    disc(75, -5, 50, 65, -830.0)
    disc(0, 60, 20, 18, 900.0)
    disc(0, 60, 18, 16, 250.0)
    return hu + noise * np.random.default_rng(0).standard_normal(hu.shape)


def test_uniform_tissues_are_found_exactly():
    found = measure_tissues([(chest(), SPACING_MM)])
    hu = {name: tissue.hu for name, tissue in found.items()}
    # A shell of 3 mm shines into what it holds.
    assert hu.pop("cancellous bone") == pytest.approx(250, abs=15)
    assert hu == pytest.approx(
        {"lung": -830, "fat": -105, "muscle": 45, "heart": 45, "cortical bone": 900}, abs=1
    )
    assert all(found[name].texture < 1 for name in hu)


def test_spread_is_between_slices_and_texture_within():
    slices = [(chest(noise=12.0) + shift, SPACING_MM) for shift in (-6, 6)]
    heart = measure_tissues(slices)["heart"]
    assert heart.spread == pytest.approx(6, abs=0.5)
    assert heart.texture == pytest.approx(12, abs=1.5)


def test_air_holds_no_tissue():
    assert measure_tissues([(np.full((256, 256), -1000.0), SPACING_MM)]) == {}


@pytest.mark.slow
@pytest.mark.skipif(not TRAIN.exists(), reason="the training studies of development are not here")
def test_table_is_what_the_training_slices_give(tmp_path):
    # Those that the table was made from; the folder has grown since.
    roots = [TRAIN / "covid-19-ny-sbu", TRAIN / "lung-pet-ct-dx" / "Lung_Dx-A0001"]
    data = prepare(roots, Window(), tmp_path / "split.json", held_out=["A046441", "A067967"])
    found = measure_tissues(
        (Window().to_hu(item["image"][0]).numpy(), item["spacing_mm"]) for item in data.train
    )
    assert set(found) == set(TISSUES)
    for name, tissue in TISSUES.items():
        assert found[name].hu == pytest.approx(tissue.hu, abs=1), name
        assert found[name].spread == pytest.approx(tissue.spread, abs=1), name
        assert found[name].texture == pytest.approx(tissue.texture, abs=1), name
