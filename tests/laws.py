"""Laws that every linear operator must obey, and random geometries to try them on."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import strategies as st

from resample_ct.operators.base import LinearOperator
from resample_ct.operators.spectrum import Spectrum
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import Geometry, ParallelBeam

finite = st.floats(-10, 10, allow_nan=False)

_views = {
    "image_size": st.integers(1, 32),
    "angles": st.lists(finite, min_size=1, max_size=8).map(tuple),
    "n_detectors": st.integers(1, 48),
}
parallel_beams = st.builds(
    ParallelBeam,
    **_views,
    detector_spacing=st.floats(0.25, 3),
    detector_offset=st.just(0.0) | st.floats(-1, 1),
)
fan_beams = st.builds(
    FanBeam,
    **_views,
    detector_spacing=st.floats(0.25, 2),
    detector_offset=st.just(0.0) | st.floats(-1, 1),
    source_origin=st.floats(32, 200),
    source_detector=st.floats(200, 400),
    curved=st.booleans(),
)
geometries = parallel_beams | fan_beams


class Matrix(LinearOperator):
    """A in double precision, as a dense matrix: to try a solver without a projector's rounding."""

    def __init__(self, matrix: np.ndarray, domain_shape: tuple[int, int], range_shape: tuple[int, int]):
        self.matrix = torch.from_numpy(matrix).double()
        self.shapes = domain_shape, range_shape

    @property
    def domain_shape(self):
        return self.shapes[0]

    @property
    def range_shape(self):
        return self.shapes[1]

    def forward(self, x):
        return (x.flatten(1) @ self.matrix.T).reshape(-1, 1, *self.range_shape)

    def adjoint(self, y):
        return (y.flatten(1) @ self.matrix).reshape(-1, 1, *self.domain_shape)

    def spectrum(self):
        return MatrixSpectrum(self)


class MatrixSpectrum(Spectrum):
    """That of `Matrix`, by a dense decomposition."""

    def __init__(self, operator: Matrix):
        self.shape = operator.domain_shape
        self.u, self.s, self.vh = torch.linalg.svd(operator.matrix, full_matrices=False)

    @property
    def singular_values(self):
        return self.s

    def measured(self, y):
        return (y.flatten(1) @ self.u)[:, None]

    def analyse(self, x):
        return (x.flatten(1) @ self.vh.T)[:, None]

    def synthesise(self, coefficients):
        return (coefficients[:, 0] @ self.vh).reshape(-1, 1, *self.shape)


# Row, column and width as shares of the image's side, and height.
_GAUSSIANS = ((0.1, 0.05, 0.12, 0.8), (-0.15, 0.1, 0.05, 0.5), (0.0, -0.2, 0.07, 0.4))


def smooth_phantom(size: int) -> torch.Tensor:
    """Three Gaussians, (1, 1, size, size), far from the edge and from symmetry."""
    place = (torch.arange(size) - (size - 1) / 2) / size
    image = torch.zeros(size, size)
    for row, column, width, height in _GAUSSIANS:
        square = (place[:, None] - row).square() + (place - column).square()
        image += height * torch.exp(-square / (2 * width**2))
    return image[None, None]


def smooth_sinogram(geometry: Geometry) -> torch.Tensor:
    """The exact line integrals of `smooth_phantom`, (1, 1, angle, detector)."""
    theta, s = geometry.lines()
    size = geometry.image_size
    total = np.zeros_like(theta)
    for row, column, width, height in _GAUSSIANS:
        nearest = s - size * (column * np.cos(theta) - row * np.sin(theta))
        peak = height * math.sqrt(2 * math.pi) * width * size
        total += peak * np.exp(-(nearest**2) / (2 * (width * size) ** 2))
    return torch.from_numpy(total).float()[None, None]


def shepp_like(size: int) -> torch.Tensor:
    """Discs with sharp edges, (1, 1, size, size)."""
    place = (torch.arange(size) - (size - 1) / 2) / size
    image = torch.zeros(size, size)
    for row, column, radius, height in (
        (0, 0, 0.4, 0.4),
        (0.1, 0.15, 0.12, 0.3),
        (-0.1, -0.15, 0.1, -0.3),
    ):
        image[(place[:, None] - row).square() + (place - column).square() < radius**2] += height
    return image[None, None]


def fill_zero_weights(network: torch.nn.Module) -> torch.nn.Module:
    """Random numbers for the weights that start as zero: an untrained UNet predicts no noise at all."""
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return network


def inner(a: torch.Tensor, b: torch.Tensor) -> float:
    """<a, b> in double precision."""
    return float((a.double() * b.double()).sum())


def norm(a: torch.Tensor) -> float:
    return math.sqrt(inner(a, a))


def random_pair(operator, batch: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Normal x and y for A."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, operator.channels, *operator.domain_shape, generator=generator)
    return x, torch.randn(batch, operator.channels, *operator.range_shape, generator=generator)


def assert_adjoint(operator, batch: int, seed: int, relative: float = 1e-5) -> None:
    """<A x, y> = <x, A^T y>, relative to the larger of their bounds: either image may cancel out."""
    x, y = random_pair(operator, batch, seed)
    image, adjoint = operator(x), operator.T(y)
    gap = abs(inner(image, y) - inner(x, adjoint))
    assert gap <= relative * max(norm(image) * norm(y), norm(x) * norm(adjoint))


def assert_linear(operator, batch: int, seed: int, relative: float = 1e-5) -> None:
    """A(2 u - 3 v) = 2 A u - 3 A v."""
    u, _ = random_pair(operator, batch, seed)
    v, _ = random_pair(operator, batch, seed + 1)
    left, right = operator(2 * u - 3 * v), 2 * operator(u) - 3 * operator(v)
    assert norm(left - right) <= relative * (1 + norm(operator(u)) + norm(operator(v)))


def assert_gradient_is_adjoint(operator, batch: int, seed: int) -> None:
    """The gradient of <A x, y> in x is A^T y, bit by bit."""
    x, y = random_pair(operator, batch, seed)
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad((operator(x) * y).sum(), x)
    assert torch.equal(gradient, operator.T(y))


def assert_batch_is_loop(function, batch: torch.Tensor, tolerance: float = 1e-6) -> None:
    """f(batch)[i] = f(batch[i : i + 1])."""
    together = function(batch)
    alone = torch.cat([function(part) for part in batch.split(1)])
    torch.testing.assert_close(together, alone, rtol=tolerance, atol=tolerance)
