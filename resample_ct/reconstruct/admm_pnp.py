"""ADMM-PnP: alternating directions with a denoiser in place of the prior's proximal step.

Venkatakrishnan, Bouman, Wohlberg, "Plug-and-Play Priors for Model Based Reconstruction" (GlobalSIP 2013);
the paper cites the review by Ahmad et al. (IEEE Signal Process. Mag. 2020):

    x = argmin 0.5 ||A x - y||^2 + tau / 2 ||x - (v - u)||^2      by conjugate gradients
    v = DnCNN(x + u)
    u = u + x - v

10 iterations, tau = 5 for CT (paper, C.3; 0.1 for linear operators on images). The paper states the scale
of A no more than tau's place in these formulae; with ours, line integrals in pixels (||A|| = 79 at 25
views of 256 pixels), tau = 5 is a thousandth of ||A||^2. DnCNN is trained here, for one noise level, on
CT. Starts from least squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from resample_ct.networks.denoiser import Denoiser
from resample_ct.progress import track
from resample_ct.reconstruct.base import Measurement
from resample_ct.solvers.cg import cgls, regularised_data_consistency
from resample_ct.solvers.solution import Solution


@dataclass(frozen=True)
class ADMMPnPSettings:
    """What the paper sets.

    Attributes:
        iterations: of ADMM.
        tau: penalty of x and v differing.
        solver_iterations: of conjugate gradients for x.
    """

    iterations: int = 10
    tau: float = 5.0
    solver_iterations: int = 20


@dataclass(frozen=True)
class ADMMPnP:
    """Fit the measurement, denoise, and keep account of how they differ."""

    denoiser: Denoiser
    settings: ADMMPnPSettings = ADMMPnPSettings()

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`. Raises OptionError for a nonlinear operator."""
        s = self.settings
        operator, y = measurement.linear, measurement.sinogram
        with torch.no_grad():
            v = cgls(operator, y, s.solver_iterations).x
            u = torch.zeros_like(v)
            for _ in track(range(s.iterations)):
                x = regularised_data_consistency(operator, y, v - u, s.tau, s.solver_iterations).x
                v = self.denoiser(x + u)
                u = u + x - v
            return measurement.solution(v, s.iterations, "iterations")
