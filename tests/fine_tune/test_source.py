"""Draws of training slices."""

from __future__ import annotations

import torch

from fine_tune.source import SliceSource


def flat(value):
    image = torch.full((1, 64, 64), value)
    return {"image": image, "next": image}


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def centres(batch):
    return batch[:, 0, 28:36, 28:36].mean(dim=(1, 2))


def test_batch_depends_on_its_generator_alone():
    source = SliceSource([flat(0.2), flat(0.6)], torch.ones(2))
    first = source.draw(4, 32, seeded(3))
    source.draw(4, 32, seeded(4))
    assert torch.equal(first, source.draw(4, 32, seeded(3)))
    assert first.shape == (4, 1, 32, 32)


def test_weights_are_the_shares_of_the_draws():
    source = SliceSource([flat(0.2), flat(0.6)], torch.tensor([1.0, 3.0]))
    drawn = centres(source.draw(400, 64, seeded(0))) > 0.4
    assert 0.68 < float(drawn.float().mean()) < 0.82


def test_slice_of_no_weight_is_never_drawn():
    source = SliceSource([flat(0.2), flat(0.6)], torch.tensor([1.0, 0.0]))
    assert float(centres(source.draw(64, 64, seeded(0))).max()) < 0.25


def test_share_of_schematic_slices_is_drawn_anew():
    image = torch.full((1, 256, 256), 0.9)
    source = SliceSource([{"image": image, "next": image}], torch.ones(1), anatomy=0.5)
    first = source.draw(12, 256, seeded(0))
    drawn = first.mean(dim=(1, 2, 3)) < 0.5
    assert 2 <= int(drawn.sum()) <= 10
    assert torch.equal(first, source.draw(12, 256, seeded(0)))
    assert len({round(float(x), 6) for x in first[drawn].mean(dim=(1, 2, 3))}) == int(drawn.sum())
