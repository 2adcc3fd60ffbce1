"""Hardening of a polychromatic beam."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from laws import smooth_phantom

from resample_ct.errors import OptionError
from resample_ct.physics.beam_hardening import HardenedBeam, hardened_projection
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.values.units import Window

voltages = st.floats(60, 140)


@given(voltages, st.floats(0, 30))
def test_water_is_corrected_exactly(kvp, water):
    found = HardenedBeam(kvp).measured(np.array([water]), np.zeros(1))
    # Linear interpolation in steps of 0.01.
    assert found == pytest.approx(water, abs=1e-3)


@given(voltages, st.floats(0.5, 10))
def test_the_second_half_of_bone_counts_less_than_the_first(kvp, bone):
    half, whole = HardenedBeam(kvp).measured(np.zeros(2), np.array([bone / 2, bone]))
    assert whole - half < half


def test_more_of_anything_never_measures_less():
    beam = HardenedBeam(120.0)
    grid = np.linspace(0, 10, 21)
    found = beam.measured(*np.meshgrid(grid, grid))
    assert (np.diff(found, axis=0) > 0).all() and (np.diff(found, axis=1) > 0).all()


def test_mean_energy_of_the_signal_is_a_diagnostic_scanners():
    energy, signal, _, _ = HardenedBeam(120.0)._energies()
    assert 55 < (energy * signal).sum() < 75


@pytest.mark.parametrize("kvp", [20.0, 200.0, float("nan")])
def test_voltage_of_no_scanner_is_refused(kvp):
    with pytest.raises(OptionError, match=r"--kvp .* expected a tube voltage from 40 to 150"):
        HardenedBeam(kvp)


def test_soft_tissue_is_projected_as_by_a_single_energy():
    projector = SparseProjector(ParallelBeam.uniform(32, 5))
    soft = 0.35 * smooth_phantom(32)  # up to 50 HU
    found = hardened_projection(HardenedBeam(120.0), projector, soft, Window(), 0.08)
    torch.testing.assert_close(found, projector(soft), rtol=0, atol=0.02)


def test_bone_behind_more_bone_or_water_counts_less():
    projector = SparseProjector(ParallelBeam.uniform(32, 5))
    image = smooth_phantom(32)  # up to 1,500 HU
    once, twice = (
        hardened_projection(HardenedBeam(120.0), projector, image, Window(), unit)
        for unit in (0.08, 0.16)
    )
    thick = once > 0.5 * once.max()
    assert (twice < once)[thick].all()


@given(voltages, st.floats(1, 6), st.floats(0.5, 4))
def test_bone_behind_water_counts_less_than_alone(kvp, water, bone):
    beam = HardenedBeam(kvp)
    alone, behind = beam.measured(np.array([0.0, water]), np.array([bone, bone]))
    assert behind - water < alone
