"""Random missing pixels, the paper's inpainting: 70 % of them, the same ones in every channel."""

from __future__ import annotations

import numpy as np
import torch

from resample_ct.operators.base import LinearOperator
from resample_ct.operators.spectrum import Spectrum


class KeptPixels(LinearOperator):
    """The kept pixels of an image, (B, channels, 1, count); the adjoint puts them back, 0 elsewhere.

    Args:
        size: side of the image.
        channels: of the image.
        missing: share of pixels that are lost, exactly that many.
        seed: of which.
        device: of torch.
    """

    def __init__(
        self, size: int, channels: int, missing: float = 0.7, seed: int = 0, device: str = "cpu"
    ) -> None:
        self.channels = channels
        self._size = size
        lost = round(missing * size**2)
        order = np.random.default_rng(seed).permutation(size**2)
        self._kept = torch.from_numpy(np.sort(order[lost:])).to(device)

    @property
    def domain_shape(self) -> tuple[int, int]:
        """(row, column)."""
        return self._size, self._size

    @property
    def range_shape(self) -> tuple[int, int]:
        """(1, kept pixels)."""
        return 1, len(self._kept)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See `LinearOperator`."""
        return x.flatten(2)[..., None, self._kept]

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """See `LinearOperator`."""
        image = y.new_zeros(*y.shape[:2], self._size**2)
        image[..., self._kept] = y[..., 0, :]
        return image.unflatten(2, (self._size, self._size))

    def spectrum(self) -> Spectrum:
        """The singular value decomposition: A A^T = I, so all values are 1."""
        return _KeptSpectrum(self, self._kept)


class _KeptSpectrum(Spectrum):
    def __init__(self, operator: KeptPixels, kept: torch.Tensor) -> None:
        self._operator = operator
        self._values = torch.ones(len(kept), device=kept.device)

    @property
    def singular_values(self) -> torch.Tensor:
        return self._values

    def measured(self, y: torch.Tensor) -> torch.Tensor:
        return y[..., 0, :]

    def analyse(self, x: torch.Tensor) -> torch.Tensor:
        return self._operator.forward(x)[..., 0, :]

    def synthesise(self, coefficients: torch.Tensor) -> torch.Tensor:
        return self._operator.adjoint(coefficients[..., None, :])
