"""Low-rank adaptation."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from fine_tune.low_rank import add_low_rank, merge_low_rank


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1),
        nn.GroupNorm(2, 6),
        nn.ConvTranspose2d(6, 4, 2),
        nn.Flatten(),
        nn.Linear(100, 3),
    )


X = torch.randn(2, 2, 4, 4, generator=torch.Generator().manual_seed(1))


def moved(model):
    """The same updates as a training would leave, only larger."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".up"):
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


def test_start_changes_nothing(model):
    before = model(X)
    add_low_rank(model, 2)
    assert torch.equal(model(X), before)


def test_only_updates_are_trained(model):
    add_low_rank(model, 2)
    trained = {name.rsplit(".", 1)[1] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {"up", "down"}


def test_merging_keeps_the_output_and_the_names(model):
    names = list(model.state_dict())
    before = model(X)
    add_low_rank(model, 2)
    adapted = moved(model)(X)
    merge_low_rank(model)
    torch.testing.assert_close(model(X), adapted)
    assert not torch.allclose(adapted, before, atol=1e-2)
    assert list(model.state_dict()) == names or set(model.state_dict()) == set(names)


@pytest.mark.parametrize("rank", [1, 2])
def test_update_has_the_rank_asked_for(model, rank):
    before = model[4].weight.detach().clone()
    add_low_rank(model, rank)
    merge_low_rank(moved(model))
    assert int(torch.linalg.matrix_rank(model[4].weight - before, atol=1e-4)) == rank


def test_network_without_updates_is_left(model):
    before = copy.deepcopy(model.state_dict())
    merge_low_rank(model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_adapted_network_can_be_copied(model):
    add_low_rank(model, 2)
    moved(model)
    assert torch.equal(copy.deepcopy(model)(X), model(X))
