"""The cascade: two networks, and the measurement's say after each."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from cards import STATED
from small_networks import SMALL, measured

from resample_ct.bundles.bundle import write_bundle
from resample_ct.bundles.fbp_unet import FBPUNetCard
from resample_ct.bundles.refiner import RefinerCard, read_refiner
from resample_ct.errors import OptionError, PriorError
from resample_ct.networks.slice_unet import Refiner, SliceUNet
from resample_ct.reconstruct.cascade import (
    ROUND_ITERATIONS,
    Cascade,
    first_image,
    over_flips,
    refined,
)
from resample_ct.reconstruct.fbp_unet import FBPUNet
from resample_ct.reconstruct.methods import METHODS, MethodOptions
from resample_ct.reconstruct.resample import ReSample
from resample_ct.reconstruct.resample_settings import settings_from
from resample_ct.values.units import Window


@pytest.fixture
def first():
    torch.manual_seed(0)
    return SliceUNet(SMALL.build().eval(), Window(), "first", "abc", 25, 0.01)


@pytest.fixture
def refiner():
    torch.manual_seed(1)
    return Refiner(SMALL.build().eval(), Window(), "second", "def", 25, 0.01, behind="abc")


def test_each_network_is_followed_by_the_measurement(real_slice, first, refiner):
    measurement = measured(real_slice)
    before = FBPUNet(first)(measurement, []).x
    image = first_image(first, measurement)
    with torch.no_grad():
        believed = refiner.network(image)
    result = refined(refiner, measurement, image, 100).x
    for network, consistent in ((before, image), (believed, result)):
        assert float(measurement.residual(consistent)) < 0.1 * float(measurement.residual(network))
    assert torch.equal(Cascade(first, refiner, rounds=1)(measurement, []).x, result)


def test_every_round_starts_from_the_one_before(real_slice, first, refiner):
    measurement = measured(real_slice)
    once = refined(refiner, measurement, first_image(first, measurement), ROUND_ITERATIONS).x
    twice = refined(refiner, measurement, once, 100).x
    assert torch.equal(Cascade(first, refiner, rounds=2)(measurement, []).x, twice)


def test_mirrored_slice_gives_the_mirrored_image_with_flips(real_slice, refiner):
    network = over_flips(refiner)
    with torch.no_grad():
        for axes in ((-1,), (-2,), (-1, -2)):
            mirrored = network(real_slice.flip(axes)).flip(axes)
            torch.testing.assert_close(mirrored, network(real_slice), atol=1e-6, rtol=1e-5)
        assert not torch.allclose(refiner(real_slice.flip(-1)).flip(-1), refiner(real_slice), atol=1e-6)


def test_second_network_decides_what_the_measurement_leaves_open(real_slice, first, refiner):
    measurement = measured(real_slice)
    before = Cascade(first, refiner)(measurement, []).x
    with torch.no_grad():
        refiner.network.unet.final_conv.bias += 0.2
    assert float((Cascade(first, refiner)(measurement, []).x - before).abs().max()) > 0.01


def test_slice_does_not_depend_on_its_batch(real_slice, first, refiner):
    both = measured(torch.cat([real_slice, real_slice.flip(-1)]))
    cascade = Cascade(first, refiner)
    alone = cascade(measured(real_slice), []).x
    # Rounding grows a little from round to round.
    assert float((cascade(both, []).x[:1] - alone).square().mean().sqrt()) < 1e-4


def test_refiner_of_another_fbp_unet_is_refused(first, refiner):
    other = replace(first, name="other", sha256="xyz")
    with pytest.raises(PriorError, match="behind the FBP-UNet with hash abc, found other with xyz"):
        Cascade(other, refiner)


def test_resample_starts_there_if_told_to(tiny_prior, first, refiner):
    settings = settings_from("fast", ["start_estimate=cascade"])
    networks, options = {"prior": tiny_prior, "fbp-unet": first}, MethodOptions(settings=settings)
    method = METHODS["resample"].build({**networks, "refiner": refiner}, options)
    assert isinstance(method, ReSample) and isinstance(method.start, Cascade)
    with pytest.raises(OptionError, match="method resample: no refiner, expected a bundle; give --refi"):
        METHODS["resample"].build(networks, options)


def test_bundle_brings_back_what_it_belongs_to(tmp_path, refiner):
    card = RefinerCard(**STATED, unet=SMALL, n_angles=25, sigma=0.01, behind="abc")
    write_bundle(tmp_path / "b", card, {"unet": refiner.network.state_dict()})
    found = read_refiner(tmp_path / "b")
    assert (found.behind, found.name) == ("abc", "mine")
    x = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(found.network(x), refiner.network(x))


def test_fbp_unet_is_no_refiner(tmp_path, refiner):
    card = FBPUNetCard(**STATED, unet=SMALL, n_angles=25, sigma=0.01)
    write_bundle(tmp_path / "b", card, {"unet": refiner.network.state_dict()})
    with pytest.raises(PriorError, match="kind is 'fbp-unet', expected 'refiner'"):
        read_refiner(tmp_path / "b")
