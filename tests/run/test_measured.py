"""A job's scan: checked, with the axis and the noise that the job asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scan_faults import scan_of, simulated

from resample_ct.errors import OptionError
from resample_ct.physics.sinogram_file import write_sinogram
from resample_ct.run.job import Job
from resample_ct.run.measured import read_measured


@pytest.fixture
def scan(tmp_path):
    """Its axis is half a detector pixel from where the file says."""
    _, data, geometry, _ = simulated(0)
    return scan_of(data, replace(geometry, detector_offset=geometry.detector_offset + 0.5))


def read(scan, folder, **options):
    write_sinogram(scan, folder / "scan.h5")
    return read_measured(Job(folder / "scan.h5", Path("out"), **options))


def test_faults_are_notes_and_the_noise_is_estimated(scan, tmp_path):
    found = read(scan, tmp_path)
    assert [note.split(":")[0] for note in found.notes] == ["scan check", "noise"]
    assert "rotation axis" in found.notes[0] and "give --centre auto" in found.notes[0]
    assert found.noise_sigma.shape == (1,) and found.noise_sigma[0] > 0
    assert found.geometry.detector_offset == pytest.approx(scan.geometry.detector_offset)


def test_centre_auto_mends_the_axis_and_says_where_it_is(scan, tmp_path):
    found = read(scan, tmp_path, centre="auto")
    assert found.geometry.detector_offset == pytest.approx(scan.geometry.detector_offset - 0.5, abs=0.05)
    assert found.notes[0].startswith("--centre auto: rotation axis at detector pixel")
    assert not any("scan check" in note for note in found.notes)


def test_a_given_axis_and_a_given_noise_are_taken(scan, tmp_path):
    middle = (scan.geometry.n_detectors - 1) / 2
    found = read(scan, tmp_path, centre=middle + 3, sigma=0.25)
    assert found.geometry.detector_offset == -3 and np.array_equal(found.noise_sigma, [0.25])


def test_a_stated_noise_is_taken_and_not_a_note(scan, tmp_path):
    found = read(replace(scan, noise_sigma=np.array([0.5])), tmp_path, centre="auto")
    assert np.array_equal(found.noise_sigma, [0.5]) and len(found.notes) == 1


def test_an_axis_beside_the_detector_is_refused(scan, tmp_path):
    with pytest.raises(
        OptionError, match="--centre 1000: expected auto or the axis' detector pixel, from"
    ):
        read(scan, tmp_path, centre=1000.0)
