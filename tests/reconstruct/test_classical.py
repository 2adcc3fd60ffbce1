"""The classical methods as Reconstructors, and the list of methods."""

from __future__ import annotations

import pytest
import torch
from laws import Matrix, assert_batch_is_loop, norm, shepp_like, smooth_phantom

from resample_ct.errors import OptionError
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.physics.system_matrix import system_matrix
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.classical import FBP
from resample_ct.reconstruct.methods import (
    METHODS,
    NEEDS_PIXEL_PRIOR,
    NEEDS_PRIOR,
    TITLES,
    MethodOptions,
    build_methods,
)

CLASSICAL = ["fbp", "cgls", "sirt", "tv"]
OPERATOR = SparseProjector(ParallelBeam.uniform(32, 24))
TRUTH = torch.cat([smooth_phantom(32), shepp_like(32)])


def measured(sigma, image=TRUTH):
    noise = torch.randn(OPERATOR(image).shape, generator=torch.Generator().manual_seed(0))
    return Measurement(OPERATOR, OPERATOR(image) + sigma * noise, torch.full((len(image),), sigma**2))


def method(name):
    return build_methods([name], MethodOptions(prior=None))[name]


@pytest.mark.parametrize("name", CLASSICAL)
def test_method_recovers_the_phantoms(name):
    assert norm(method(name)(measured(0.01), []) - TRUTH) < 0.15 * norm(TRUTH)


@pytest.mark.parametrize("name", CLASSICAL)
def test_slice_does_not_depend_on_its_batch(name):
    y = measured(0.1).sinogram

    def reconstruct(part):
        return method(name)(Measurement(OPERATOR, part, torch.full((len(part),), 0.01)), [])

    assert_batch_is_loop(reconstruct, y, 1e-4)


def test_tv_smooths_a_noisier_slice_more():
    y = measured(0.1).sinogram[:1].repeat(2, 1, 1, 1)
    quiet, loud = method("tv")(Measurement(OPERATOR, y, torch.tensor([1e-4, 1.0])), [])
    assert loud.diff(dim=-1).abs().sum() < quiet.diff(dim=-1).abs().sum()


def test_residual_is_each_slices_mean_square():
    measurement = measured(0.0)
    shifted = Measurement(
        OPERATOR, measurement.sinogram + torch.tensor([1.0, 3.0]).view(2, 1, 1, 1), torch.zeros(2)
    )
    torch.testing.assert_close(shifted.residual(TRUTH), torch.tensor([1.0, 9.0]))


def test_fbp_needs_a_projector():
    rays = OPERATOR.geometry
    matrix = Matrix(system_matrix(rays).toarray(), rays.image_shape, rays.sinogram_shape)
    with pytest.raises(OptionError, match="--method fbp: expected a projector of line integrals"):
        FBP()(Measurement(matrix, measured(0).sinogram, torch.zeros(2)), [])


def test_methods_come_in_the_order_asked_for():
    assert list(build_methods(["tv", "fbp", "cgls"], MethodOptions(prior=None))) == [
        "tv",
        "fbp",
        "cgls",
    ]


def test_filter_reaches_fbp():
    assert build_methods(["fbp"], MethodOptions(prior=None, fbp_filter="hann"))["fbp"] == FBP("hann")


def test_unknown_method_is_refused():
    with pytest.raises(OptionError, match="--method art: unknown, expected one of fbp, cgls"):
        build_methods(["fbp", "art"], MethodOptions(prior=None))


@pytest.mark.parametrize("name", [name for name in METHODS if name not in CLASSICAL])
def test_learned_method_needs_its_networks(name):
    with pytest.raises(OptionError, match=r"no .*, expected a bundle; give --"):
        build_methods([name], MethodOptions(prior=None))


def test_every_method_has_a_title():
    assert TITLES.keys() == METHODS.keys() and METHODS.keys() >= NEEDS_PRIOR | NEEDS_PIXEL_PRIOR
