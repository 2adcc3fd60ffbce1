"""A network small enough for a test, and what it is given."""

from __future__ import annotations

import torch

from resample_ct.networks.residual_unet import ResidualUNetSettings
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.reconstruct.base import Measurement

SMALL = ResidualUNetSettings(features=(2, 2, 2, 2, 2), norm_groups=1)


def measured(image, n_angles=25, sigma=0.01):
    """Noisy views of a slice."""
    operator = make_projector(ParallelBeam.uniform(image.shape[-1], n_angles))
    clean = operator(image)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    return Measurement(operator, clean + sigma * noise, torch.full((len(image),), sigma**2))
