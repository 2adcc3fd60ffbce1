"""torch-radon (Ronchetti 2020) on a CUDA device, behind the same operator as the sparse projector.

torch-radon is on no package registry and needs CUDA, so this file is imported only where it is
installed. Its back-projection is pixel-driven: the adjoint of its forward projection to about 1e-3
only, not exactly. This project's CI has no GPU: there a stand-in takes torch-radon's place.
"""

from __future__ import annotations

import torch
from torch_radon import Radon

from resample_ct.physics.geometry import Geometry
from resample_ct.physics.projector import Projector


class TorchRadonProjector(Projector):
    """Line integrals in pixel units, computed by torch-radon."""

    def __init__(self, geometry: Geometry, device: str) -> None:
        """Prepare torch-radon for a centred `ParallelBeam`; it takes ASTRA's angles, as we do."""
        super().__init__(geometry)
        self._device = torch.device(device)
        self._radon = Radon(
            geometry.image_size,
            torch.tensor(geometry.angles, dtype=torch.float32, device=self._device),
            det_count=geometry.n_detectors,
            det_spacing=geometry.detector_spacing,
            clip_to_circle=False,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See `LinearOperator`."""
        result: torch.Tensor = self._radon.forward(x.contiguous())
        return result

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """See `LinearOperator`."""
        result: torch.Tensor = self._radon.backprojection(y.contiguous())
        return result
