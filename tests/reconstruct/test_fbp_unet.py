"""FBP-UNet, and the estimate that ReSample may start from."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from cards import STATED
from laws import shepp_like
from small_networks import SMALL, measured

from resample_ct.bundles.bundle import write_bundle
from resample_ct.bundles.fbp_unet import FBPUNetCard, read_fbp_unet
from resample_ct.errors import PriorError
from resample_ct.networks.slice_unet import SliceUNet
from resample_ct.physics.backends import make_projector
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.classical import FBP, TV
from resample_ct.reconstruct.fbp_unet import ConsistentFBPUNet, FBPUNet
from resample_ct.solvers.fbp import fbp
from resample_ct.values.units import Window


@pytest.fixture
def method():
    torch.manual_seed(0)
    return FBPUNet(SliceUNet(SMALL.build().eval(), Window(), "small", "0", 25, 0.01))


def test_untouched_last_layer_leaves_the_fbp(real_slice, method):
    """The network's output is added to the FBP."""
    last = method.network.network.unet.final_conv
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    measurement = measured(real_slice)
    assert torch.equal(method(measurement, []).x, FBP()(measurement, []).x)


def seen_by(network, rays):
    """What the network is given of a phantom behind some rays, and the measurement."""
    operator = make_projector(rays)
    measurement = Measurement(operator, operator(shepp_like(64)), torch.full((1,), 1e-4))
    shown = []
    inner = network.network.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    FBPUNet(network)(measurement, [])
    inner.remove()
    return shown[0], measurement


@pytest.mark.parametrize(
    "rays",
    [
        FanBeam.uniform(64, 25, source_origin=120.0, source_detector=200.0),
        ParallelBeam.uniform(64, 25, math.radians(120)),
        replace(ParallelBeam.uniform(64, 25), n_detectors=40),
    ],
    ids=["fan", "limited", "truncated"],
)
def test_network_sees_the_streaks_that_it_knows_of_tvs_image(method, rays):
    shown, measurement = seen_by(method.network, rays)
    known = ParallelBeam.uniform(64, 25)
    expected = fbp(known, make_projector(known)(TV()(measurement, []).x))
    torch.testing.assert_close(shown, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("views", [12, 25, 40])
def test_network_sees_the_fbp_of_parallel_views_however_many(method, views):
    shown, measurement = seen_by(method.network, ParallelBeam.uniform(64, views))
    torch.testing.assert_close(shown, FBP()(measurement, []).x, rtol=0, atol=1e-5)


def test_slice_does_not_depend_on_its_batch(real_slice, method):
    both = measured(torch.cat([real_slice, real_slice.flip(-1)]))
    first = Measurement(both.operator, both.sinogram[:1], both.noise_variance[:1])
    # One slice is projected back in another order of sums, of 25 filtered views of up to 10 in single
    # precision: 1e-5 of the image's range, which the untrained network may make a few times larger.
    change = method(both, []).x[:1] - method(first, []).x
    assert float(change.square().mean().sqrt()) < 1e-4


def test_bfloat16_rounds_inside_the_network_alone(real_slice, method):
    measurement = measured(real_slice)
    exact = method(measurement, []).x
    found = FBPUNet(replace(method.network, precision="bfloat16"))(measurement, []).x
    assert found.dtype == torch.float32 and not torch.equal(found, exact)
    assert (found - exact).norm() < 0.1 * exact.norm()


@pytest.mark.parametrize(
    ("n_angles", "sigma", "fits"),
    [(25, 0.01, True), (25, 0.019, True), (25, 0.021, False), (25, 0.004, False), (30, 0.01, False)],
)
def test_fits_what_it_was_trained_for(real_slice, method, n_angles, sigma, fits):
    assert method.fits(measured(real_slice, n_angles, sigma)) is fits


def test_estimate_is_consistent_with_the_measurement(real_slice, method):
    measurement = measured(real_slice)
    estimate = ConsistentFBPUNet(method.network)(measurement, []).x
    before = measurement.residual(method(measurement, []).x)
    assert float(measurement.residual(estimate)) < 0.05 * float(before)


def test_estimate_is_tv_where_the_network_was_not_trained(real_slice, method):
    measurement = measured(real_slice, n_angles=12)
    assert torch.equal(ConsistentFBPUNet(method.network)(measurement, []).x, TV()(measurement, []).x)


def test_bundle_brings_back_what_it_was_trained_for(tmp_path):
    torch.manual_seed(1)
    network = SMALL.build()
    card = FBPUNetCard(
        **STATED,
        unet=SMALL,
        n_angles=12,
        sigma=0.02,
    )
    write_bundle(tmp_path / "b", card, {"unet": network.state_dict()})
    found = read_fbp_unet(tmp_path / "b")
    assert (found.n_angles, found.sigma, found.name) == (12, 0.02, "mine")
    x = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(found.network(x), network.eval()(x))


def test_prior_is_no_fbp_unet(tiny_bundle):
    with pytest.raises(PriorError, match="kind is 'latent-prior', expected 'fbp-unet'"):
        read_fbp_unet(tiny_bundle)
