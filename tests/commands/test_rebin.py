"""From a scanner's projections to a derived series in the patient's study."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from ct_pd_files import Scanner, phantom

from resample_ct.cli import main
from resample_ct.io.read import read_study
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.sinogram_file import read_sinogram


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A scan of the cylinders, feet first."""
    scanner = Scanner(views=120, rotations=2.0, rows=12, flights=((0.001, 0, 0.5), (-0.001, 0, -0.5)))
    return scanner, scanner.write(
        phantom(0.0), tmp_path_factory.mktemp("ct-pd") / "scan", transposed=True
    )


def call(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def mean_hu(study, x, y, radius=8.0):
    """Mean in a disc around a place in LPS mm."""
    grid = study.grid
    columns = grid.positions[0][0] + np.arange(grid.columns) * grid.spacing_mm[1]
    rows = grid.positions[0][1] + np.arange(grid.rows) * grid.spacing_mm[0]
    disc = (columns[None] - x) ** 2 + (rows[:, None] - y) ** 2 < radius**2
    return study.volume.hu[:, disc].mean()


@pytest.mark.slow
def test_a_scan_becomes_a_series_with_everything_in_its_place(scan, tmp_path):
    scanner, folder = scan
    file, out = tmp_path / "scan.h5", tmp_path / "out"
    middle = f"{scanner.middle:.1f}:{scanner.middle + 3:.1f}"
    result = call("rebin", folder, "--angles", 180, "--range-mm", middle, "--out", file)
    assert result.exit_code == 0, result.output
    sinogram = read_sinogram(file)
    assert sinogram.data.shape == (2, 180, 364)
    assert np.allclose(np.diff(sinogram.grid.positions[:, 2]), 3.0)
    result = call("reconstruct", file, "--method", "fbp", "--sigma", 0.01, "--out", out)
    assert result.exit_code == 0, result.output
    study = read_study(out / "dicom" / "fbp")
    assert mean_hu(study, 10, 60) == pytest.approx(0, abs=25)
    assert mean_hu(study, 60, -40) == pytest.approx(1000, abs=60)
    assert mean_hu(study, -60, 0) == pytest.approx(-700, abs=40)
    assert mean_hu(study, 0, -180) == pytest.approx(-1000, abs=40)
    header = study.headers[0]
    assert (header.PatientID, header.AccessionNumber, header.StudyDate) == ("P1", "A7", "20200102")
    assert header.ImageType[0] == "DERIVED" and header.PatientPosition == "FFS"
    assert header.ImagePositionPatient[2] == pytest.approx(float(f"{scanner.middle:.1f}"), abs=1e-3)


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("--range-mm", "0:10"), "within"),
        (("--range-mm", "abc"), "LOW:HIGH"),
        (("--out", "{folder}"), "exists"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_mistakes_end_in_one_line(scan, tmp_path, arguments, told):
    _, folder = scan
    arguments = [part.format(folder=folder) for part in arguments]
    result = call("rebin", folder, "--out", tmp_path / "o.h5", *arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ") and told in result.output
    assert not (tmp_path / "o.h5").exists()


def test_the_scanners_own_source_positions_become_a_fan_with_its_noise(tmp_path):
    scanner = Scanner(views=120, rotations=2.0)
    folder, file = scanner.write(phantom(0.0), tmp_path / "scan"), tmp_path / "scan.h5"
    middle = f"{scanner.middle:.1f}:{scanner.middle + 3:.1f}"
    result = call("rebin", folder, "--fan", "--angles", 20, "--range-mm", middle, "--out", file)
    assert result.exit_code == 0, result.output
    assert "2 sinograms of 20 source positions a turn" in result.output
    sinogram = read_sinogram(file)
    assert isinstance(sinogram.geometry, FanBeam) and sinogram.geometry.curved
    assert sinogram.data.shape == (2, 20, 184) and (sinogram.noise_sigma > 0).all()
