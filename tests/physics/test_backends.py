"""Which projector a device gets, and what torch-radon is asked for where it is installed."""

from __future__ import annotations

import math
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
import torch
from laws import assert_adjoint, assert_gradient_is_adjoint

from resample_ct.physics import backends
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sparse_projector import SparseProjector

GEOMETRY = ParallelBeam(16, (0.1, 0.8, 1.7, 2.9), 20, 1.3)


class Radon:
    """torch-radon's interface (0.0.1: `Radon`), computed by the sparse projector."""

    def __init__(self, resolution, angles, det_count=-1, det_spacing=1.0, clip_to_circle=False):
        # It refuses other kinds, and a clipped image would lose the table.
        assert angles.dtype == torch.float32 and not clip_to_circle
        rays = ParallelBeam(resolution, tuple(angles.tolist()), det_count, det_spacing)
        self.projector = SparseProjector(rays)

    def forward(self, x):
        assert x.is_contiguous()
        return self.projector.forward(x)

    def backprojection(self, sinogram):
        assert sinogram.is_contiguous()
        return self.projector.adjoint(sinogram)


@pytest.fixture
def torch_radon(monkeypatch):
    """Stands for the package, which needs CUDA; nothing of CUDA is used."""
    module = ModuleType("torch_radon")
    module.__spec__ = ModuleSpec("torch_radon", None)
    module.Radon = Radon
    monkeypatch.setitem(sys.modules, "torch_radon", module)
    monkeypatch.delitem(sys.modules, "resample_ct.physics.torch_radon_backend", raising=False)
    # No device here is called cuda; the angles stay where the images are.
    device = torch.device
    monkeypatch.setattr(torch, "device", lambda name: device("cpu" if name == "cuda" else name))
    yield
    sys.modules.pop("resample_ct.physics.torch_radon_backend", None)


def test_cpu_never_gets_torch_radon(torch_radon):
    assert isinstance(backends.make_projector(GEOMETRY), SparseProjector)


def test_cuda_without_torch_radon_gets_the_sparse_projector(monkeypatch):
    asked = []
    monkeypatch.setattr(backends, "sparse_projector", lambda *args: asked.append(args))
    backends.make_projector(GEOMETRY, "cuda:1")
    assert asked == [(GEOMETRY, "cuda:1")]


def test_cuda_gets_torch_radon_where_it_is_installed_with_this_geometry(torch_radon):
    projector = backends.make_projector(GEOMETRY, "cuda")
    assert type(projector).__name__ == "TorchRadonProjector"
    assert_adjoint(projector, 2, 0)
    assert_gradient_is_adjoint(projector, 2, 0)
    image = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    expected = SparseProjector(GEOMETRY)(image)
    torch.testing.assert_close(projector(image), expected, rtol=1e-5, atol=1e-5)
    assert math.isclose(projector.geometry.detector_spacing, 1.3)


def test_torch_radon_gets_whole_images_whatever_their_strides(torch_radon):
    image = torch.rand(16, 16, 1, 2).permute(3, 2, 0, 1)
    assert not image.is_contiguous()
    backends.make_projector(GEOMETRY, "cuda")(image)
