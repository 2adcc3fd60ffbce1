"""Lesions: where they go, what is kept of them, and what is invented."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from resample_ct.comparison.lesions import (
    CONTRASTS_HU,
    DIAMETERS_MM,
    KEPT_SHARE,
    Lesion,
    insert,
    invented,
    kept_share,
    place_lesions,
)
from resample_ct.comparison.tissues import body
from resample_ct.values.units import Window

PIXEL_MM = 1.3
FLAT = np.zeros((256, 256))
EVERYWHERE = np.ones((256, 256), bool)


@pytest.fixture
def truth(real_slice):
    return Window().to_hu(real_slice)[0, 0].numpy()


@pytest.fixture
def lesions(truth):
    return place_lesions(truth, PIXEL_MM, 0, 12)


def test_profile_is_one_at_the_centre_and_half_at_half_the_diameter():
    profile = Lesion("lung", 20, 30, 10.0, 100.0).profile((64, 64), 1.0)
    assert profile[20, 30] == 1 and profile[25, 30] == pytest.approx(0.5) == profile[20, 25]


def test_chest_slice_takes_a_lesion_of_each_size_in_either_tissue(lesions):
    assert sorted((lesion.tissue, lesion.diameter_mm) for lesion in lesions) == sorted(
        (tissue, diameter) for tissue in CONTRASTS_HU for diameter in DIAMETERS_MM
    )


def test_lesions_lie_in_their_tissue_apart_from_each_other(truth, lesions):
    smooth = gaussian_filter(truth, 1.0)
    for lesion in lesions:
        hu = smooth[lesion.row, lesion.column]
        assert -980 < hu < -600 if lesion.tissue == "lung" else 0 < hu < 120
        for other in lesions:
            gap = np.hypot(lesion.row - other.row, lesion.column - other.column) * PIXEL_MM
            assert other is lesion or gap > (lesion.diameter_mm + other.diameter_mm) / 2


def test_every_size_meets_every_contrast_within_three_slices(truth):
    met = {
        (lesion.tissue, lesion.diameter_mm, lesion.contrast_hu)
        for index in range(3)
        for lesion in place_lesions(truth, PIXEL_MM, 0, index)
    }
    assert len(met) == len(DIAMETERS_MM) * sum(len(c) for c in CONTRASTS_HU.values())


def test_places_follow_the_seed(truth, lesions):
    assert place_lesions(truth, PIXEL_MM, 0, 12) == lesions
    assert place_lesions(truth, PIXEL_MM, 1, 12) != lesions


def test_slice_without_room_gets_none():
    empty = np.full((64, 64), -1000.0)
    assert place_lesions(empty, PIXEL_MM, 0, 0) == []
    assert np.array_equal(insert(empty, [], PIXEL_MM), empty)


def test_perfect_reconstruction_keeps_all_and_invents_none(truth, lesions):
    kept = kept_share(insert(truth, lesions, PIXEL_MM), truth, lesions, PIXEL_MM)
    assert kept == pytest.approx([1.0] * len(lesions), abs=0.02)
    assert invented(truth, truth, body(truth), PIXEL_MM) == 0


def test_blurred_reconstruction_loses_the_small_ones(truth, lesions):
    blurred = [gaussian_filter(x, 4.0) for x in (insert(truth, lesions, PIXEL_MM), truth)]
    for lesion, share in zip(lesions, kept_share(*blurred, lesions, PIXEL_MM), strict=True):
        assert (share < KEPT_SHARE) == (lesion.diameter_mm == 6.0)


def test_what_both_reconstructions_get_wrong_cancels(truth, lesions, rng):
    wrong = rng.normal(0, 200, truth.shape)
    kept = kept_share(insert(truth, lesions, PIXEL_MM) + wrong, truth + wrong, lesions, PIXEL_MM)
    assert kept == pytest.approx([1.0] * len(lesions), abs=0.02)


@settings(max_examples=20)
@given(
    st.sampled_from(DIAMETERS_MM),
    st.sampled_from([-400.0, -150.0, 150.0, 400.0]),
    st.integers(60, 190),
    st.integers(60, 190),
)
def test_one_added_blob_is_invented_exactly_once(diameter, contrast, row, column):
    error = contrast * Lesion("lung", row, column, diameter, contrast).profile((256, 256), PIXEL_MM)
    assert invented(error, FLAT, EVERYWHERE, PIXEL_MM) == 1


def test_blob_added_to_a_real_slice_is_invented_exactly_once(truth):
    added = insert(truth, [Lesion("soft tissue", 90, 128, 10.0, 200.0)], PIXEL_MM)
    assert body(truth)[90, 128]
    assert invented(added, truth, body(truth), PIXEL_MM) == 1


def test_blob_that_was_lost_or_drawn_too_dark_was_not_invented():
    blob = 400 * Lesion("lung", 100, 100, 10.0, 400.0).profile((256, 256), PIXEL_MM)
    assert invented(FLAT, blob, EVERYWHERE, PIXEL_MM) == 0
    assert invented(0.5 * blob, blob, EVERYWHERE, PIXEL_MM) == 0


def test_two_blobs_are_two():
    blobs = [Lesion("lung", 100, 100, 6.0, 200.0), Lesion("lung", 100, 130, 15.0, -200.0)]
    assert invented(insert(FLAT, blobs, PIXEL_MM), FLAT, EVERYWHERE, PIXEL_MM) == 2


def test_weak_blob_edge_streak_and_offset_are_not_invented():
    weak = 80 * Lesion("lung", 100, 100, 10.0, 80.0).profile((256, 256), PIXEL_MM)
    edge = np.zeros((256, 256))
    edge[:, 128:] = 400
    streak = np.zeros((256, 256))
    streak[:, 127:131] = 400
    for error in (weak, edge, streak, np.full((256, 256), 300.0)):
        assert invented(error, FLAT, EVERYWHERE, PIXEL_MM) == 0


def test_blob_outside_the_body_does_not_count():
    inside = np.zeros((256, 256), bool)
    inside[:, :128] = True
    blob = insert(FLAT, [Lesion("lung", 100, 200, 10.0, 400.0)], PIXEL_MM)
    assert invented(blob, FLAT, inside, PIXEL_MM) == 0
