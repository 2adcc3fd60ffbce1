"""The classical methods as Reconstructors."""

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
from resample_ct.reconstruct.methods import METHODS, MethodOptions

CLASSICAL = ["fbp", "cgls", "sirt", "tv"]
OPERATOR = SparseProjector(ParallelBeam.uniform(32, 24))
TRUTH = torch.cat([smooth_phantom(32), shepp_like(32)])


def measured(sigma, image=TRUTH):
    noise = torch.randn(OPERATOR(image).shape, generator=torch.Generator().manual_seed(0))
    return Measurement(
        OPERATOR, OPERATOR(image) + sigma * noise, torch.full((len(image),), float(sigma) ** 2)
    )


def method(name):
    return METHODS[name].build({}, MethodOptions())


@pytest.mark.parametrize("name", CLASSICAL)
def test_method_recovers_the_phantoms(name):
    assert norm(method(name)(measured(0.01), []).x - TRUTH) < 0.15 * norm(TRUTH)


@pytest.mark.parametrize("name", CLASSICAL)
def test_slice_does_not_depend_on_its_batch(name):
    y = measured(0.1).sinogram

    def reconstruct(part):
        return method(name)(Measurement(OPERATOR, part, torch.full((len(part),), 0.01)), []).x

    assert_batch_is_loop(reconstruct, y, 1e-4)


def test_tv_smooths_a_noisier_slice_more():
    y = measured(0.1).sinogram[:1].repeat(2, 1, 1, 1)
    quiet, loud = method("tv")(Measurement(OPERATOR, y, torch.tensor([1e-4, 1.0])), []).x
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
    with pytest.raises(OptionError, match="method fbp: found operator Matrix, expected a projector"):
        FBP()(Measurement(matrix, measured(0).sinogram, torch.zeros(2)), [])
