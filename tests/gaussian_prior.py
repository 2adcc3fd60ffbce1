"""A prior whose exact score is known, so that every sampler has a known right answer."""

from __future__ import annotations

import numpy as np
import torch
from laws import Matrix

from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.reconstruct.base import Measurement
from resample_ct.values.units import Window

SIDE = 5
SIZE = SIDE**2
ROWS = 12


def correlated() -> torch.Tensor:
    """Covariance of neighbouring pixels: what is not measured can be told from what is."""
    place = torch.cartesian_prod(torch.arange(SIDE), torch.arange(SIDE)).double()
    distance = torch.cdist(place, place)
    return torch.exp(-0.5 * (distance / 1.5) ** 2) + 0.02 * torch.eye(SIZE, dtype=torch.float64)


def rotation(seed: int) -> torch.Tensor:
    """An orthonormal matrix that mixes all pixels: a product of reflections in random directions.

    The factors of a QR or eigendecomposition have signs that every library and processor chooses for
    itself; these have none to choose.
    """
    matrix = np.eye(SIZE)
    for direction in np.random.default_rng(seed).standard_normal((SIZE, SIZE)):
        matrix = matrix - np.outer(matrix @ direction, direction) * (2 / (direction @ direction))
    return torch.from_numpy(matrix)


class GaussianPrior:
    """z ~ N(0, C); the image is 0.5 + 0.5 W z. With W = I it is a prior on pixels, in [-1, 1]."""

    def __init__(self, covariance: torch.Tensor, decoder: torch.Tensor | None = None):
        self.schedule = NoiseSchedule()
        self.window = Window()
        self.decoder = torch.eye(SIZE, dtype=torch.float64) if decoder is None else decoder
        self.covariance = covariance
        # Only functions V f(values) V^T are taken of it, on which the signs of V have no bearing.
        self.values, self.vectors = torch.linalg.eigh(covariance)

    def encode(self, image):
        return ((2 * image - 1).flatten(1) @ self.decoder).view(image.shape)

    def decode(self, latent):
        return 0.5 + 0.5 * (latent.flatten(1) @ self.decoder.T).view(latent.shape)

    def predict_noise(self, latent, t):
        a = float(self.schedule.alpha_bar[t])
        shrink = (1 - a) ** 0.5 / (a * self.values + 1 - a)
        noise = latent.flatten(1) @ self.vectors * shrink @ self.vectors.T
        return noise.view(latent.shape)

    def posterior(self, measurement: Measurement) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean image (B, 1, side, side) and covariance (size, size) given y."""
        matrix = measurement.operator.matrix
        prior = 0.25 * self.decoder @ self.covariance @ self.decoder.T
        noise = measurement.noise_variance[0] * torch.eye(len(matrix), dtype=torch.float64)
        gain = prior @ matrix.T @ torch.linalg.inv(matrix @ prior @ matrix.T + noise)
        misfit = measurement.sinogram.flatten(1) - 0.5 * matrix.sum(dim=1)
        mean = 0.5 + misfit @ gain.T
        return mean.view(-1, 1, SIDE, SIDE), prior - gain @ matrix @ prior


def one_measurement(prior: GaussianPrior, copies: int, sigma: float = 0.05) -> Measurement:
    """Half as many numbers as pixels, of one image of the prior; the same for each copy."""
    rng = np.random.default_rng(1)
    matrix = np.linspace(1.0, 0.4, ROWS)[:, None] * rotation(4).numpy()[:ROWS]
    operator = Matrix(matrix, (SIDE, SIDE), (1, ROWS))
    root = prior.vectors * prior.values.sqrt() @ prior.vectors.T
    latent = (root @ torch.from_numpy(rng.standard_normal(SIZE))).view(1, 1, SIDE, SIDE)
    y = operator(prior.decode(latent)) + sigma * torch.from_numpy(rng.standard_normal((1, 1, 1, ROWS)))
    variance = torch.full((copies,), sigma**2, dtype=torch.float64)
    return Measurement(operator, y.expand(copies, -1, -1, -1), variance)


def samples(method, measurement: Measurement, first_seed: int = 0) -> torch.Tensor:
    """One sample a copy, each from its own seed."""
    copies = len(measurement.sinogram)
    generators = [torch.Generator().manual_seed(first_seed + k) for k in range(copies)]
    return method(measurement, generators).x


def relative_error(found: torch.Tensor, prior: GaussianPrior, measurement: Measurement) -> float:
    """Distance of the samples' mean from the posterior's, as a share of what the measurement tells."""
    mean, _ = prior.posterior(measurement)
    return float((found.mean(dim=0) - mean[0]).norm() / (mean[0] - 0.5).norm())


def relative_spread(found: torch.Tensor, prior: GaussianPrior, measurement: Measurement) -> float:
    """Root mean variance of the samples over that of the posterior."""
    _, covariance = prior.posterior(measurement)
    return float((found.flatten(1).var(dim=0).sum() / covariance.trace()).sqrt())


def without_measuring(prior: GaussianPrior) -> float:
    """The spread of the prior itself, to compare a posterior's with."""
    return float((0.25 * prior.covariance.trace()).sqrt())
