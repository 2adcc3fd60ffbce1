"""ADMM-PnP and PnP-UNet with a denoiser whose prior is known: the Gaussian's exact one."""

from __future__ import annotations

import pytest
import torch
from gaussian_prior import SIDE, GaussianPrior, correlated, one_measurement
from laws import norm

from resample_ct.errors import OptionError
from resample_ct.networks.denoiser import Denoiser
from resample_ct.operators.base import Operator
from resample_ct.reconstruct.admm_pnp import ADMMPnP, ADMMPnPSettings
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.pnp_unet import PnPUNet, PnPUNetSettings
from resample_ct.values.units import Window

PRIOR = GaussianPrior(correlated())
SIGMA = 0.3


def proximal(image):
    """argmin of the prior's energy and ||x - image||^2 / (2 sigma^2): what MAP denoising gives."""
    energy = torch.linalg.inv(0.25 * PRIOR.covariance)
    both = torch.eye(len(energy), dtype=torch.float64) / SIGMA**2 + energy
    centred = (image - 0.5).flatten(1) / SIGMA**2
    return 0.5 + torch.linalg.solve(both, centred.T).T.view(image.shape)


class Proximal(torch.nn.Module):
    def forward(self, image):
        return proximal(image)


DENOISER = Denoiser(Proximal(), SIGMA, Window(), "proximal", "")
NOISE = 0.05
METHODS = {
    "admm-pnp": ADMMPnP(DENOISER, ADMMPnPSettings(iterations=100, tau=NOISE**2 / SIGMA**2)),
    "pnp-unet": PnPUNet(DENOISER, PnPUNetSettings(iterations=60)),
}


def test_admm_with_the_proximal_denoiser_gives_the_most_probable_image():
    """tau = sigma_y^2 / sigma^2 makes ADMM solve the posterior's own problem."""
    measurement = one_measurement(PRIOR, 1, NOISE)
    mean, _ = PRIOR.posterior(measurement)
    assert norm(METHODS["admm-pnp"](measurement, []).x - mean) < 0.02 * norm(mean - 0.5)


def test_pnp_tells_what_was_not_measured():
    measurement = one_measurement(PRIOR, 1, NOISE)
    mean, _ = PRIOR.posterior(measurement)
    assert norm(METHODS["pnp-unet"](measurement, []).x - mean) < 0.3 * norm(mean - 0.5)


@pytest.mark.parametrize("name", METHODS)
def test_slice_does_not_depend_on_its_batch(name):
    one = one_measurement(PRIOR, 1)
    y = torch.cat([one.sinogram, 2 * one.sinogram])
    together = METHODS[name](Measurement(one.operator, y, torch.full((2,), 0.05**2)), []).x
    torch.testing.assert_close(together[:1], METHODS[name](one, []).x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_nonlinear_operator_is_refused(name):
    class Squared(Operator):
        domain_shape = range_shape = (SIDE, SIDE)

        def __call__(self, x):
            return x.square()

    with pytest.raises(OptionError, match="operator Squared: not linear"):
        METHODS[name](Measurement(Squared(), torch.zeros(1, 1, SIDE, SIDE), torch.zeros(1)), [])
