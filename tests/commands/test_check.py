"""`resample-ct check` says what is wrong with a scan, and its exit code whether anything is."""

from __future__ import annotations

from dataclasses import replace

from click.testing import CliRunner
from scan_faults import scan_of, simulated

from resample_ct.cli import main
from resample_ct.physics.sinogram_file import write_sinogram


def test_a_scan_is_checked(tmp_path):
    _, data, geometry, _ = simulated(0)
    write_sinogram(scan_of(data, geometry), tmp_path / "good.h5")
    off = replace(geometry, detector_offset=geometry.detector_offset + 2)
    write_sinogram(scan_of(data, off), tmp_path / "bad.h5")
    good = CliRunner().invoke(main, ["check", str(tmp_path / "good.h5")])
    assert good.exit_code == 0 and "FAULT" not in good.output and "estimated" in good.output
    bad = CliRunner().invoke(main, ["check", str(tmp_path / "bad.h5")])
    assert bad.exit_code == 1 and bad.output.count("FAULT") == 1
    assert "rotation axis: give --centre auto" in bad.output
