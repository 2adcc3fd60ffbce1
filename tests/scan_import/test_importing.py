"""Other programs' scans become sinograms with their own geometry; what they leave out is asked for."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from disc_scans import discs_sinogram
from scipy.io import savemat

from resample_ct.cli import main
from resample_ct.errors import SinogramError
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.noise import attenuation_per_unit
from resample_ct.physics.sinogram_file import read_sinogram
from resample_ct.scan_import.importing import ImportOptions, import_scan, is_scan, read_scan
from resample_ct.solvers.fbp import fbp

# In image pixels of 0.5 mm: a body with a denser insert to the right of and above the axis.
PIXEL_MM = 0.5
DISCS = [(3.0, -4.0, 20.0, 0.02 * PIXEL_MM), (10.0, 6.0, 5.0, 0.02 * PIXEL_MM)]
PARALLEL = ParallelBeam(64, tuple(np.arange(90) * np.pi / 90), 64)
FAN = FanBeam(64, tuple(np.arange(91) * np.pi / 45), 64, 2.0, source_origin=300.0, source_detector=600.0)


def hu_at(scan, x, y):
    """HU around a place in image pixels."""
    y_tensor = torch.from_numpy(scan.data[:1])[:, None]
    image = scan.window.to_hu(fbp(scan.geometry, y_tensor, "hann")[0, 0].numpy())
    middle = (scan.geometry.image_size - 1) / 2
    row, column = round(middle - y), round(middle + x)
    return image[row - 1 : row + 2, column - 1 : column + 2].mean()


@pytest.fixture
def challenge(tmp_path):
    """A file as HTC2022's; its last view is its first once more."""
    path = tmp_path / "scan_full.MAT"
    parameters = {
        "distanceSourceOrigin": 150.0,
        "distanceSourceDetector": 300.0,
        "distanceUnit": "mm",
        "pixelSizePost": 1.0,
        "angles": np.rad2deg(FAN.angles),
    }
    content = {"sinogram": discs_sinogram(DISCS, FAN), "parameters": parameters, "type": "2D"}
    savemat(path, {"CtDataFull": content}, appendmat=False)
    return path


@pytest.fixture
def exchange(tmp_path):
    """A file as beamlines write it: counts, flats and darks with noise of their own, two slices."""
    rng = np.random.default_rng(0)
    path = tmp_path / "scan.h5"
    beam = 5e4 * (1 + 0.1 * np.sin(np.arange(64)))
    clean = discs_sinogram(DISCS, PARALLEL)[:, None]
    with h5py.File(path, "w") as file:
        group = file.create_group("exchange")
        group["data"] = 100 + rng.poisson(np.repeat(beam * np.exp(-clean), 2, axis=1))
        group["data_white"] = 100 + rng.poisson(np.ones((10, 2, 1)) * beam)
        group["data_dark"] = np.full((5, 2, 64), 100.0)
        group["theta"] = np.rad2deg(PARALLEL.angles)
    return path


def test_a_fan_of_htc2022_is_read_with_all_that_its_file_says(challenge):
    scan = import_scan(challenge, ImportOptions(image_size=64))
    found = scan.geometry
    assert isinstance(found, FanBeam) and not found.curved
    for name in ("detector_spacing", "source_origin", "source_detector"):
        assert getattr(found, name) == pytest.approx(getattr(FAN, name))
    assert scan.grid.spacing_mm == pytest.approx((PIXEL_MM, PIXEL_MM))
    assert hu_at(scan, -8, -8) == pytest.approx((0.02 / 0.0192 - 1) * 1000, abs=40)
    assert hu_at(scan, 10, 6) == pytest.approx((0.04 / 0.0192 - 1) * 1000, abs=60)
    assert scan.notes == ("dataset angles: views at one angle: 0 and 90; they share its weight",)
    assert is_scan(challenge) and read_scan(challenge).geometry.image_size == 256


def test_data_exchange_is_divided_by_its_flats_less_the_darks(exchange):
    scan = import_scan(exchange, ImportOptions(detector_pixel_mm=PIXEL_MM, image_size=64))
    unit = attenuation_per_unit(PIXEL_MM, scan.window)
    assert scan.data.shape == (2, 90, 64)
    assert np.abs(scan.data * unit - discs_sinogram(DISCS, PARALLEL)).max() < 0.03
    np.testing.assert_allclose(scan.geometry.angles, PARALLEL.angles)
    assert hu_at(scan, 10, 6) == pytest.approx((0.04 / 0.0192 - 1) * 1000, abs=60)


@pytest.mark.parametrize("turned", [False, True], ids=["(angle, detector)", "(detector, angle)"])
def test_a_plain_matlab_sinogram_with_its_angles(tmp_path, turned):
    data = discs_sinogram(DISCS, PARALLEL)
    # Many turns on, as one public file has it.
    angles = np.array(PARALLEL.angles) + 2 * np.pi * 46
    savemat(tmp_path / "a.mat", {"sino": 1e3 * (data.T if turned else data) + 600, "anglesRad": angles})
    options = ImportOptions(detector_pixel_mm=PIXEL_MM, image_size=64, scale=1e-3, subtract_air=True)
    scan = import_scan(tmp_path / "a.mat", options)
    assert np.abs(scan.data * attenuation_per_unit(PIXEL_MM, scan.window) - data).max() < 1e-3


def test_numpy_arrays(tmp_path):
    data = discs_sinogram(DISCS, FAN)
    lengths = {"detector_pixel_mm": 1.0, "source_origin_mm": 150.0, "source_detector_mm": 300.0}
    np.savez(tmp_path / "a.npz", sinogram=data, angles=FAN.angles, **lengths)
    scan = import_scan(tmp_path / "a.npz", ImportOptions(image_size=64))
    assert isinstance(scan.geometry, FanBeam)
    assert scan.geometry.source_origin == pytest.approx(FAN.source_origin)


def test_views_are_thinned_evenly_and_none_is_taken_twice(challenge):
    thin = import_scan(challenge, ImportOptions(image_size=64, views=25)).geometry.angles
    assert len(set(thin)) == 25 and max(thin) < 2 * np.pi - 1e-6
    assert np.ptp(np.diff(thin)) < 1.01 * np.deg2rad(4)
    arc = import_scan(challenge, ImportOptions(image_size=64, arc_degrees=90)).geometry.angles
    assert len(arc) == 23 and max(arc) == pytest.approx(np.deg2rad(88))


def test_the_window_reaches_to_what_the_object_attenuates(tmp_path):
    dense = [(x, y, radius, 20 * density) for x, y, radius, density in DISCS]
    data = discs_sinogram(dense, PARALLEL)
    np.savez(tmp_path / "a.npz", sinogram=data, angles=PARALLEL.angles, detector_pixel_mm=PIXEL_MM)
    scan = import_scan(tmp_path / "a.npz", ImportOptions(image_size=64))
    assert scan.window.lower == -1000 and scan.window.upper > (0.8 / 0.0192 - 1) * 1000
    assert hu_at(scan, 10, 6) == pytest.approx((0.8 / 0.0192 - 1) * 1000, rel=0.05)


def exchange_without(name):
    def edit(path):
        with h5py.File(path, "r+") as file:
            del file["exchange"][name]

    return edit


def without_light(path):
    with h5py.File(path, "r+") as file:
        file["exchange/data"][3, 0, 5] = 90


@pytest.mark.parametrize(
    "edit, told",
    [
        (exchange_without("data_white"), "exchange/data_white: missing"),
        (exchange_without("theta"), "exchange/theta: missing"),
        (without_light, "1 readings at or below the dark ones"),
        (lambda path: None, "detector pixel: not stated, expected its size in mm"),
    ],
)
def test_what_an_exchange_file_lacks_is_told(exchange, edit, told):
    edit(exchange)
    with pytest.raises(SinogramError, match=told):
        import_scan(exchange, ImportOptions())


@pytest.mark.parametrize(
    "content, told",
    [
        ({"a": np.ones((3, 4)), "b": np.ones((3, 4))}, "found a, b, expected a struct CtDataFull"),
        ({"sino": np.ones((3, 4)), "anglesRad": np.arange(5.0)}, r"5 angles for a matrix \(3, 4\)"),
    ],
)
def test_other_matlab_files_are_told(tmp_path, content, told):
    savemat(tmp_path / "a.mat", content)
    with pytest.raises(SinogramError, match=told):
        import_scan(tmp_path / "a.mat", ImportOptions())


def test_counts_and_degrees_in_arrays_are_refused(tmp_path):
    data = discs_sinogram(DISCS, PARALLEL)
    pixel = {"detector_pixel_mm": PIXEL_MM}
    np.savez(tmp_path / "a.npz", sinogram=np.exp(-data), angles=PARALLEL.angles, **pixel)
    with pytest.raises(SinogramError, match="look like transmission"):
        import_scan(tmp_path / "a.npz", ImportOptions())
    np.savez(tmp_path / "b.npz", sinogram=data, angles=np.rad2deg(PARALLEL.angles), **pixel)
    with pytest.raises(SinogramError, match="look like degrees"):
        import_scan(tmp_path / "b.npz", ImportOptions())
    (tmp_path / "c.npz").write_bytes(b"no zip")
    with pytest.raises(SinogramError, match="cannot be read"):
        import_scan(tmp_path / "c.npz", ImportOptions())


def test_the_command_writes_a_sinogram_file_and_nothing_over_an_old_one(challenge, tmp_path):
    out = tmp_path / "scan.h5"
    call = ["import", str(challenge), "--views", "25", "--image-size", "64", "--out", str(out)]
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 0, result.output
    assert "1 slices of 25 views and 64 detector pixels" in result.output
    expected = import_scan(challenge, ImportOptions(image_size=64, views=25))
    found = read_sinogram(out)
    np.testing.assert_array_equal(found.data, expected.data)
    assert found.geometry == replace(expected.geometry, source_origin=found.geometry.source_origin)
    again = CliRunner().invoke(main, call)
    assert again.exit_code == 1 and "exists" in again.output
