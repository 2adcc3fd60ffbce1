"""Projections in DICOM-CT-PD: read as they were written, refused where the geometry would be guessed."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from ct_pd_files import WATER, Scanner, phantom
from pydicom.uid import ImplicitVRLittleEndian

from resample_ct.errors import StudyError
from resample_ct.io import ct_pd

SMALL = {"columns": 24, "rows": 4, "width": 20.0, "views": 12, "rotations": 1.5, "central": (12.4, 2.5)}
FLIGHTS = ((0.001, 0.1, 0.6), (-0.001, 0.2, -0.6))


@pytest.fixture
def scanner():
    return Scanner(**SMALL, flights=FLIGHTS, position="HFS")


@pytest.fixture
def write(scanner, tmp_path):
    """Writes the small scan."""
    return lambda **options: scanner.write(phantom(0.0), tmp_path / "scan", **options)


@pytest.mark.parametrize("transposed", [False, True], ids=["(row, column)", "(column, row)"])
@pytest.mark.parametrize("implicit", [False, True], ids=["with VR", "without VR"])
def test_everything_comes_back(scanner, write, transposed, implicit):
    folder = write(transposed=transposed)
    if implicit:
        for path in folder.iterdir():
            dataset = pydicom.dcmread(path)
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
            dataset.save_as(path, implicit_vr=True, little_endian=True)
    scan, header = ct_pd.read_ct_pd(folder)
    assert scan.detector.columns == 24 and scan.detector.rows == 4
    assert np.allclose(scan.detector.central, (11.4, 1.5))
    assert np.allclose([scan.detector.width_mm, scan.detector.height_mm], [20.0, 4.0])
    assert np.allclose([scan.detector.radius_mm, scan.detector.distance_mm], [595.0, 1085.6])
    turn = (scan.phi - scanner.phi) / (2 * np.pi)
    assert np.allclose(turn, round(turn[0]), atol=1e-6)
    assert np.allclose(scan.z_mm, scanner.z, atol=1e-4)
    assert np.allclose(scan.shifts, scanner.shifts, atol=1e-6)
    assert scan.water_per_mm == WATER and scan.patient_position == "HFS"
    assert header.PatientID == "P1"
    for view in (0, 7, 17):
        assert np.abs(scan.load(view) - scanner.measure(phantom(0.0), view)).max() <= 1.01e-4


def set_tag(tag, value):
    def edit(dataset, view):
        dataset[tag].value = value

    return edit


def drop(tag):
    def edit(dataset, view):
        del dataset[tag]

    return edit


def go_back(dataset, view):
    if view == 5:
        dataset[ct_pd.PHI].value = 0.0


@pytest.mark.parametrize(
    "edit, told",
    [
        (set_tag(ct_pd.SHAPE, "FLAT"), r"DetectorShape \(7029,100B\): found FLAT"),
        (set_tag(ct_pd.DATA_KIND, "AXIAL"), r"TypeofProjectionData \(7037,1009\): found AXIAL"),
        (drop(ct_pd.RHO), r"DetectorFocalCenterRadialDistance \(7031,1003\)"),
        (drop(ct_pd.WATER), r"WaterAttenuationCoefficient \(7041,1001\)"),
        # Per cm, as some simulated scans have it, would be ten times too much.
        (set_tag(ct_pd.WATER, "0.192"), r"\(7041,1001\): found 0.192"),
        (set_tag(ct_pd.CENTRAL, [3.0, 4.0, 5.0]), r"DetectorCentralElement \(7031,1033\)"),
        (set_tag(ct_pd.DISTANCE, -1.0), r"ConstantRadialDistance \(7031,1031\)"),
        (set_tag(ct_pd.Z, 5.0), "found no feed"),
        (lambda d, view: setattr(d, "PatientPosition", "HFDL"), "PatientPosition .*HFDL"),
        (lambda d, view: d.pop("InstanceNumber"), "InstanceNumber"),
        (lambda d, view: set_tag(ct_pd.RHO, 595.0 + view)(d, view), r"\(7031,1003\).*in every view"),
        (go_back, "views that go back"),
    ],
    ids=[
        *("flat", "axial", "no radius", "no water", "water per cm", "central", "distance"),
        *("no feed", "on the side", "no number", "radius varies", "views go back"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused(write, edit, told):
    with pytest.raises(StudyError, match=told):
        ct_pd.read_ct_pd(write(edit=edit))


def test_pixels_that_do_not_fit_the_detector_are_refused(scanner, write):
    def cut(dataset, view):
        dataset.Rows = 3
        dataset.PixelData = dataset.PixelData[: 3 * 24 * 2]

    scan, _ = ct_pd.read_ct_pd(write(edit=cut))
    with pytest.raises(StudyError, match=r"PixelData .* expected 4 x 24 elements"):
        scan.load(0)


def test_a_folder_without_views_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"found 0 \.dcm files"):
        ct_pd.read_ct_pd(tmp_path)
    for name in ("a.dcm", "b.dcm"):
        (tmp_path / name).write_bytes(b"no DICOM" * 40)
    with pytest.raises(StudyError, match="cannot be read"):
        ct_pd.read_ct_pd(tmp_path)
