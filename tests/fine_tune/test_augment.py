"""Augmentation: what it may change and what not."""

from __future__ import annotations

import pytest
import torch

from fine_tune.augment import SHARP_NOISE, augment, blur, soft_tissue_noise


def draw(slices, following=None, size=None, seed=0, batch=16):
    slices = slices.expand(batch, -1, -1, -1) if len(slices) == 1 else slices
    following = slices if following is None else following.expand_as(slices)
    return augment(slices, following, size or slices.shape[-1], torch.Generator().manual_seed(seed))


@pytest.fixture
def slices():
    return torch.rand(16, 1, 32, 32, generator=torch.Generator().manual_seed(1))


def disc(side, radius):
    place = torch.arange(side) - (side - 1) / 2
    return ((place[:, None].square() + place.square()) < radius**2).float()[None, None]


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
    assert not draw(torch.zeros(1, 1, 32, 32)).any()


def test_beyond_the_edge_there_is_air():
    crops = draw(torch.ones(1, 1, 32, 32), batch=64)
    assert (crops.flatten(1).min(dim=1).values < 1e-6).any()


def test_inside_of_a_flat_slice_varies_by_five_percent_only():
    inside = draw(torch.full((1, 1, 64, 64), 0.5), batch=64)[..., 24:40, 24:40]
    assert inside.min() > 0.47 and inside.max() < 0.53
    assert float(inside.mean(dim=(1, 2, 3)).std()) > 0.005


def test_slices_are_left_as_they_were(slices):
    before = slices.clone()
    draw(slices)
    assert torch.equal(slices, before)


def test_body_is_kept_within_its_zoom_and_deformation():
    body = disc(64, 15)
    areas = draw(body, batch=64).round().sum(dim=(1, 2, 3)) / body.sum()
    assert areas.min() > 0.7**2 and areas.max() < 1.5**2
    assert areas.max() > 1.3 > 0.9 > areas.min()


def test_flips_come_in_both_directions():
    ramp = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
    crops = draw(ramp, batch=32)[..., 24:40, 24:40]
    slopes = (crops[..., -1] - crops[..., 0]).mean(dim=(1, 2))
    assert (slopes > 0).any() and (slopes < 0).any()


def test_neighbour_is_mixed_in_by_up_to_a_half():
    """Thicker slices are means of neighbours; the slice itself keeps the larger share."""
    crops = draw(torch.full((1, 1, 32, 32), 0.8), torch.full((1, 1, 32, 32), 0.4), batch=64)
    centres = crops[:, 0, 12:20, 12:20].mean(dim=(1, 2))
    assert centres.min() > 0.6 * 0.95 - 0.01 and centres.max() < 0.8 * 1.05 + 0.01
    assert (centres < 0.7).any() and (centres > 0.75).any()


@pytest.mark.parametrize("noise", [0.0, 0.004, 0.013])
def test_noise_is_estimated_where_there_is_soft_tissue(noise):
    generator = torch.Generator().manual_seed(0)
    image = torch.full((2, 1, 128, 128), 0.35) + noise * torch.randn(2, 1, 128, 128, generator=generator)
    image[:, :, :40] = 0.9
    assert soft_tissue_noise(image).tolist() == pytest.approx([noise] * 2, rel=0.05, abs=1e-6)


def test_slice_without_soft_tissue_has_no_noise():
    assert soft_tissue_noise(torch.zeros(1, 1, 16, 16)).tolist() == [0.0]


def test_sharp_kernels_are_softened_and_soft_ones_stay_sharp_half_of_the_time():
    generator = torch.Generator().manual_seed(0)
    grain = torch.randn(64, 1, 64, 64, generator=generator)
    spread = []
    for noise in (0.5 * SHARP_NOISE, 2 * SHARP_NOISE):
        image = 0.35 + noise * grain
        inside = augment(image, image, 64, torch.Generator().manual_seed(1))[..., 20:44, 20:44]
        spread.append(inside.std(dim=(1, 2, 3)) / noise)
    soft, sharp = spread
    assert sharp.max() < 0.75
    assert (soft > 0.7).float().mean() > 0.3


def test_blur_keeps_the_mean_and_is_the_identity_at_zero():
    image = torch.zeros(2, 1, 17, 17)
    image[:, :, 8, 8] = 1.0
    blurred = blur(image, torch.tensor([0.0, 0.8]))
    torch.testing.assert_close(blurred[0], image[0])
    assert float(blurred[1].sum()) == pytest.approx(1.0, abs=1e-5)
    place = torch.arange(17.0) - 8
    variance = (blurred[1, 0].sum(dim=0) * place.square()).sum()
    assert float(variance) == pytest.approx(0.64, rel=0.02)
