"""Augmentation: what it may change and what not."""

from __future__ import annotations

import pytest
import torch

from fine_tune.augment import augmented_batch


def draw(slices, batch=16, size=32, seed=0):
    return augmented_batch(slices, batch, size, torch.Generator().manual_seed(seed))


@pytest.fixture
def slices():
    return torch.rand(5, 1, 32, 32, generator=torch.Generator().manual_seed(1))


def test_generator_gives_the_same_bits_and_another_others(slices):
    assert torch.equal(draw(slices), draw(slices))
    assert not torch.equal(draw(slices), draw(slices, seed=1))


def test_global_random_state_plays_no_part(slices):
    torch.manual_seed(1)
    first = draw(slices)
    torch.manual_seed(2)
    assert torch.equal(first, draw(slices))


@pytest.mark.parametrize("size", [16, 32])
def test_crops_lie_within_zero_and_one(slices, size):
    crops = draw(slices.round(), size=size)  # sharp edges, where bicubic sampling overshoots
    assert crops.shape == (16, 1, size, size)
    assert crops.min() >= 0 and crops.max() <= 1


def test_air_stays_air():
    assert not draw(torch.zeros(2, 1, 32, 32)).any()


def test_beyond_the_edge_there_is_air():
    crops = draw(torch.ones(1, 1, 32, 32), batch=64)
    assert (crops.flatten(1).min(dim=1).values == 0).any()


def test_inside_of_a_flat_slice_varies_by_five_percent_only():
    inside = draw(torch.full((1, 1, 64, 64), 0.5), batch=64)[..., 12:20, 12:20]
    assert inside.min() > 0.47 and inside.max() < 0.53
    assert float(inside.mean(dim=(1, 2, 3)).std()) > 0.005


def test_slices_are_left_as_they_were(slices):
    before = slices.clone()
    draw(slices)
    assert torch.equal(slices, before)


def test_body_is_kept_within_its_zoom():
    place = torch.arange(64) - 31.5
    disc = ((place[:, None].square() + place.square()) < 15**2).float()[None, None]
    areas = draw(disc, batch=64, size=64).round().sum(dim=(1, 2, 3)) / disc.sum()
    assert areas.min() > 0.84**2 and areas.max() < 1.16**2


def test_flips_come_in_both_directions():
    ramp = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
    crops = draw(ramp, batch=32, size=64)[..., 24:40, 24:40]
    slopes = (crops[..., -1] - crops[..., 0]).mean(dim=(1, 2))
    assert (slopes > 0).any() and (slopes < 0).any()
