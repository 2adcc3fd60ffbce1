"""What a notebook calls: arrays in, a result out, with the bits of the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from laws import shepp_like, smooth_phantom

import resample_ct as rct
from resample_ct.errors import OptionError, ResampleCTError, SinogramError
from resample_ct.physics.sinogram_file import write_sinogram
from resample_ct.reconstruct.classical import FBP
from resample_ct.run import pipeline
from resample_ct.run.simulate import simulate as simulate_study
from resample_ct.run.simulated_scan import SimulatedScan

SIZE = 32
HU = (torch.cat([smooth_phantom(SIZE), shepp_like(SIZE)])[:, 0] * 1500 - 1000).numpy()


@pytest.fixture(scope="module")
def scan():
    return rct.simulate(HU, rct.parallel_beam(SIZE, 24), noise="gaussian:0.01", seed=3)


def test_stack_gives_a_stack_and_an_image_an_image(scan):
    result = rct.reconstruct(scan, "tv")
    assert result.hu.shape == HU.shape and result.spread_hu is None
    assert np.sqrt(np.mean((result.hu - HU) ** 2)) < 60
    assert result.residual.shape == (2,) and (result.residual < 4e-4).all() and result.seconds > 0
    assert result.stopped == ("iterations",) * 2 and result.iterations == (150, 150)
    assert "TV from 24 parallel-beam views" in result.made_by and "research only" in result.made_by
    one = rct.reconstruct(rct.simulate(HU[0], scan.operator, seed=3), "tv", batch=1)
    assert one.hu.shape == (SIZE, SIZE)
    np.testing.assert_allclose(one.hu, result.hu[0], atol=0.5)


def test_torch_and_numpy_give_the_same_bits(scan):
    again = rct.simulate(torch.from_numpy(HU), scan.operator, seed=3)
    assert torch.equal(again.sinogram, scan.sinogram)
    assert not torch.equal(rct.simulate(HU, scan.operator, seed=4).sinogram, scan.sinogram)


def test_method_is_a_name_or_an_object(scan):
    by_name, by_object = rct.reconstruct(scan, "fbp"), rct.reconstruct(scan, FBP())
    assert np.array_equal(by_name.hu, by_object.hu)
    short, long = (rct.reconstruct(scan, rct.methods.TV(iterations=n)) for n in (2, 60))
    assert not np.allclose(short.hu, long.hu) and "TV(iterations=60)" in long.made_by


def test_views_are_a_number_or_their_angles():
    assert (
        rct.parallel_beam(SIZE, 4).geometry
        == rct.parallel_beam(SIZE, [k * np.pi / 4 for k in range(4)]).geometry
    )


def test_rays_that_are_missing_are_told(scan):
    (note,) = rct.reconstruct(
        rct.simulate(HU, rct.parallel_beam(SIZE, [k * np.pi / 36 for k in range(24)])), "fbp"
    ).notes
    assert note.startswith("the views lack 60 degrees of a complete scan")


@pytest.mark.parametrize("curved", [False, True])
def test_fan_of_rays_goes_the_same_way(curved):
    fan = rct.fan_beam(SIZE, 48, source_origin=60, source_detector=110, curved=curved)
    result = rct.reconstruct(rct.simulate(HU, fan, noise="none"), "tv")
    assert np.sqrt(np.mean((result.hu - HU) ** 2)) < 60 and "48 fan-beam" in result.made_by


def test_own_sinogram_is_reconstructed_as_the_simulated_one(scan):
    own = rct.measured(scan.sinogram[:, 0].numpy(), scan.operator, sigma=0.01)
    np.testing.assert_allclose(rct.reconstruct(own, "tv").hu, rct.reconstruct(scan, "tv").hu, atol=1e-3)


def test_resample_is_asked_for_its_own_size(scan):
    with pytest.raises(OptionError, match="operator: found images of 32 x 32, expected 256 x 256"):
        rct.reconstruct(scan, "resample", preset="fast")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("art",), "--method art: unknown"),
        (("tv", {"preset": "fast"}), "method tv: found a preset"),
        (("tv", {"prior": "folder"}), "method tv: found a prior, which it does not run"),
        (("tv", {"bundles": {"dncnn": "folder"}}), "method tv: found a bundle for dncnn"),
        (("tv", {"sigma": 0.1}), "sigma: found 0.1 with a scan that states its noise"),
        ((FBP(), {"preset": "fast"}), "method: found FBP with a preset"),
        (("resample", {"preset": "quick"}), "preset quick: unknown"),
        (("resample", {"prior": "nowhere"}), "--prior nowhere: no configs/metadata.json"),
        (("tv", {"device": "tpu"}), "--device tpu: not usable"),
        (("tv", {"batch": 0}), "batch: found 0, expected 1 or more"),
    ],
    ids=str,
)
def test_argument_that_would_go_unheard_is_refused(scan, arguments, told):
    method, *options = arguments
    with pytest.raises(ResampleCTError, match=told):
        rct.reconstruct(scan, method, **(options[0] if options else {}))


@pytest.mark.parametrize(
    ("image", "options", "told"),
    [
        (HU[:, :-1], {}, r"image: found shape \(2, 31, 32\), expected \(32, 32\)"),
        (HU * np.nan, {}, "image: found NaN or infinity"),
        ([[0.0]], {}, "image: found list, expected a numpy array"),
        (HU, {"noise": "poisson:1e5"}, "found no pixel_mm"),
        (HU, {"noise": "hum:3"}, "hum:3"),
        (HU, {"slices": "0:1"}, "slices: found 0:1 with an array"),
    ],
)
def test_image_that_cannot_be_measured_is_refused(scan, image, options, told):
    with pytest.raises(OptionError, match=told):
        rct.simulate(image, scan.operator, **options)


def test_sinogram_that_does_not_fit_is_refused(scan):
    with pytest.raises(SinogramError, match=r"sinogram: found shape .* that of the operator"):
        rct.measured(scan.sinogram[:, 0, :-1], scan.operator, sigma=0.01)
    with pytest.raises(OptionError, match="sigma: found -1"):
        rct.measured(scan.sinogram[:, 0], scan.operator, sigma=-1)


def test_values_beyond_the_window_are_told(scan):
    metal = HU.copy()
    metal[0, 3, 3] = 9000
    (note,) = rct.simulate(metal, scan.operator).notes
    assert note.startswith("1 pixels lie outside of -1000 to 2000 HU and were clipped")


@pytest.fixture(scope="module")
def by_command(sample_series, tmp_path_factory):
    """Two slices by two methods, as the command runs them."""
    out = tmp_path_factory.mktemp("command") / "out"
    job = rct.Job(sample_series, out, methods=("fbp", "cgls"), slices="12:14", n_angles=12, seed=5)
    pipeline.reconstruct(job)
    return out


@pytest.fixture(scope="module")
def study(sample_series):
    return rct.read_study(sample_series)


@pytest.mark.parametrize("method", ["fbp", "cgls"])
def test_bits_are_the_commands(study, by_command, tmp_path, method):
    scan = rct.simulate(study, rct.parallel_beam(256, 12), seed=5, slices="12:14")
    result = rct.reconstruct(scan, method, seed=5)
    records = json.loads((by_command / "metrics.json").read_text())
    assert [r["residual"] for r in records if r["method"] == method] == result.residual.tolist()
    rct.write_series(study, result, tmp_path / "series")
    folders = tmp_path / "series", by_command / "dicom" / method
    ours, theirs = map(rct.read_study, folders)
    np.testing.assert_array_equal(ours.volume.hu, theirs.volume.hu)
    np.testing.assert_array_equal(ours.grid.affine, theirs.grid.affine)
    assert ours.headers[0].PatientID == theirs.headers[0].PatientID
    assert ours.headers[0].DerivationDescription.endswith("research only")


def test_series_is_written_in_the_place_of_its_own_slices_alone(study, tmp_path):
    scan = rct.simulate(study, rct.parallel_beam(64, 8), slices=[3])
    result = rct.reconstruct(scan, "fbp")
    with pytest.raises(OptionError, match="result: found 1 slices of 64 x 64, expected square ones"):
        rct.write_series(study.select([4]), result, tmp_path / "a")
    rct.write_series(result.study, result, tmp_path / "b")
    np.testing.assert_allclose(
        rct.read_study(tmp_path / "b").grid.positions, study.grid.resized(64).positions[[3]], atol=1e-4
    )


def test_sinogram_file_is_a_scan(study, tmp_path):
    sinogram, _ = simulate_study(study, [3], SimulatedScan(12), 0, rct.Window())
    write_sinogram(sinogram, tmp_path / "scan.h5")
    result = rct.reconstruct(rct.read_sinogram(str(tmp_path / "scan.h5")), "fbp")
    same = rct.reconstruct(rct.simulate(study, rct.parallel_beam(256, 12), slices=[3]), "fbp")
    np.testing.assert_array_equal(result.hu, same.hu)
