"""Every published sampler against the exact posterior of a Gaussian prior."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from gaussian_prior import (
    SIDE,
    SIZE,
    GaussianPrior,
    correlated,
    one_measurement,
    relative_error,
    relative_spread,
    rotation,
    samples,
    without_measuring,
)

from resample_ct.errors import OptionError
from resample_ct.operators.base import Operator
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.ddrm import DDRM, DDRMSettings
from resample_ct.reconstruct.dds import DDS, DDSSettings
from resample_ct.reconstruct.dmps import DMPS, DMPSSettings
from resample_ct.reconstruct.dps import DPS, DPSSettings
from resample_ct.reconstruct.latent_daps import LatentDAPS, LatentDAPSSettings
from resample_ct.reconstruct.latent_dps import LatentDPS, LatentDPSSettings
from resample_ct.reconstruct.mcg import MCG, MCGSettings
from resample_ct.reconstruct.psld import PSLD, PSLDSettings

PIXELS = GaussianPrior(correlated())
LATENTS = GaussianPrior(correlated(), rotation(3))

# A step of DPS has one length, whatever the image's size: 25 numbers take shorter ones than 65,536.
METHODS = {
    "dps": DPS(PIXELS, DPSSettings(steps=100, scale=0.1)),
    "mcg": MCG(PIXELS, MCGSettings(steps=50, alpha=0.002)),
    "ddrm": DDRM(PIXELS, DDRMSettings(steps=40)),
    "dmps": DMPS(PIXELS, DMPSSettings(steps=100)),
    "dds": DDS(PIXELS, DDSSettings(weight=0.0004, iterations=12)),
    "latent-dps": LatentDPS(LATENTS, LatentDPSSettings(steps=50, scale=0.1)),
    "psld": PSLD(LATENTS, PSLDSettings(steps=40, omega=0.1, gamma=0.01)),
    "latent-daps": LatentDAPS(
        LATENTS, LatentDAPSSettings(levels=15, langevin_steps=20, rate=0.1, beta=0.05)
    ),
}
# Those that need the operator's adjoint or singular values.
LINEAR = ["mcg", "ddrm", "dmps", "dds", "psld"]


@lru_cache
def drawn(name):
    """Sixty samples, which no test changes."""
    return run(name, 60)


def run(name, copies, first_seed=0):
    method = METHODS[name]
    measurement = one_measurement(method.prior, copies)
    return samples(method, measurement, first_seed), method.prior, measurement


# The error is 1 for samples that ignore the measurement. Each method's own approximations leave 0.08 to
# 0.25 here, on every processor: the problem is made of sums and products, whose rounding no method
# amplifies (see below).
@pytest.mark.parametrize("name", METHODS)
def test_mean_of_the_samples_is_near_the_posteriors(name):
    found, prior, measurement = drawn(name)
    assert relative_error(found, prior, measurement) < 0.4


@pytest.mark.parametrize("name", METHODS)
def test_samples_spread_as_the_posterior_and_less_than_the_prior(name):
    found, prior, measurement = drawn(name)
    assert relative_spread(found, prior, measurement) > 0.4
    spread = float(found.flatten(1).var(dim=0).sum().sqrt())
    assert spread < 0.75 * without_measuring(prior)


@pytest.mark.parametrize("name", METHODS)
def test_measurement_is_fitted(name):
    found, _, measurement = drawn(name)
    unmeasured = measurement.residual(torch.full((60, 1, SIDE, SIDE), 0.5, dtype=torch.float64))
    assert float(measurement.residual(found).mean()) < 0.4 * float(unmeasured.mean())


def test_ddrm_is_exact_where_pixels_are_independent():
    """Then singular directions are too, which is all that DDRM assumes."""
    prior = GaussianPrior(torch.eye(SIZE, dtype=torch.float64))
    measurement = one_measurement(prior, 100)
    found = samples(DDRM(prior, DDRMSettings(steps=40)), measurement)
    assert relative_error(found, prior, measurement) < 0.15
    assert 0.7 < relative_spread(found, prior, measurement) < 1.1


@pytest.mark.parametrize("name", METHODS)
def test_seed_gives_the_same_bits_and_another_seed_others(name):
    first, again, other = run(name, 2)[0], run(name, 2)[0], run(name, 2, first_seed=7)[0]
    assert torch.equal(first, again) and not torch.allclose(first, other)


@pytest.mark.parametrize("name", METHODS)
def test_slice_does_not_depend_on_its_batch(name):
    together, alone = run(name, 3)[0][2:], run(name, 1, first_seed=2)[0]
    # Kernels sum in another order for another batch: 1e-16, a hundred steps, ten times as much again.
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", METHODS)
def test_rounding_is_not_amplified(name):
    """What one processor rounds otherwise than another stays as small as it is."""
    method, share = METHODS[name], 1e-10
    m = one_measurement(method.prior, 3)
    nudged = Measurement(m.operator, m.sinogram * (1 + share), m.noise_variance)
    change = (samples(method, nudged) - samples(method, m)).abs().max()
    assert float(change) < 50 * share


class Nonlinear(Operator):
    domain_shape = range_shape = (SIDE, SIDE)

    def __call__(self, x):
        return torch.tanh(2 * x)


@pytest.mark.parametrize("name", LINEAR)
def test_linear_method_refuses_a_nonlinear_operator(name):
    y = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.float64)
    with pytest.raises(OptionError, match="operator Nonlinear"):
        METHODS[name](Measurement(Nonlinear(), y, torch.zeros(1)), [torch.Generator()])


@pytest.mark.parametrize("name", [name for name in METHODS if name not in LINEAR])
def test_gradient_method_takes_a_nonlinear_operator(name):
    method = METHODS[name]
    truth = method.prior.decode(torch.randn(1, 1, SIDE, SIDE, dtype=torch.float64))
    operator = Nonlinear()
    measurement = Measurement(
        operator, operator(truth).expand(20, -1, -1, -1), torch.full((20,), 1e-4, dtype=torch.float64)
    )
    found = samples(method, measurement)
    flat = torch.full_like(found, 0.5)
    assert float(measurement.residual(found).mean()) < 0.3 * float(measurement.residual(flat).mean())
