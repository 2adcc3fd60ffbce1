"""Which projector a device gets: torch-radon's on CUDA where it is installed, else the sparse one."""

from __future__ import annotations

from importlib.util import find_spec

from resample_ct.physics.geometry import Geometry, ParallelBeam
from resample_ct.physics.projector import Projector
from resample_ct.physics.sparse_projector import sparse_projector


def make_projector(geometry: Geometry, device: str = "cpu") -> Projector:
    """The line integrals of `geometry` on `device`; the same operator, whatever computes it."""
    known = isinstance(geometry, ParallelBeam) and geometry.detector_offset == 0.0
    if known and device.startswith("cuda") and find_spec("torch_radon") is not None:
        from resample_ct.physics.torch_radon_backend import TorchRadonProjector

        return TorchRadonProjector(geometry, device)
    return sparse_projector(geometry, device)
