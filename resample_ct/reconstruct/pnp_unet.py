"""PnP-UNet: proximal gradient descent with a UNet denoiser.

The paper cites Gilton, Ongie, Willett, "Model Adaptation for Inverse Problems in Imaging" (IEEE Trans.
Comput. Imaging 2021) for its PnP-UNet and gives no more detail than its training set. Plug-and-play
proximal gradient descent as these authors use it (also in "Deep Equilibrium Architectures for Inverse
Problems in Imaging", 2021, eq. 6):

    x_{k+1} = UNet(x_k - eta A^T (A x_k - y))

with eta = 1 / ||A||^2. Deviations: the gradient step is a few conjugate-gradient iterations from x_k, as
plain descent of the sparse-view Radon transform takes hundreds of denoisings to fit; the network is
FBP-UNet's layout, trained on Gaussian noise. Starts from zero, ends with the denoiser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from resample_ct.networks.denoiser import Denoiser
from resample_ct.progress import track
from resample_ct.reconstruct.base import Measurement
from resample_ct.solvers.cg import cgls
from resample_ct.solvers.solution import Solution


@dataclass(frozen=True)
class PnPUNetSettings:
    """Settings of the iteration.

    Attributes:
        iterations: denoisings.
        gradient_iterations: of conjugate gradients before each.
    """

    iterations: int = 20
    gradient_iterations: int = 4


@dataclass(frozen=True)
class PnPUNet:
    """Nearer to the measurement, nearer to slices, in turns."""

    denoiser: Denoiser
    settings: PnPUNetSettings = PnPUNetSettings()

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`. Raises OptionError for a nonlinear operator."""
        s = self.settings
        operator, y = measurement.linear, measurement.sinogram
        with torch.no_grad():
            x = y.new_zeros(len(y), operator.channels, *operator.domain_shape)
            for _ in track(range(s.iterations)):
                x = self.denoiser(x + cgls(operator, y - operator(x), s.gradient_iterations).x)
            return measurement.solution(x, s.iterations, "iterations")
