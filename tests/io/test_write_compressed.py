"""Compressed on request, without the loss of a bit, whatever kind of numbers the source stores."""

from __future__ import annotations

import judges
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from enhanced import enhanced_ct
from study_cases import CASES

from resample_ct.io.dicom_file import COMPRESSIONS
from resample_ct.io.dicom_write import write_series
from resample_ct.io.read import read_study

KINDS = {
    case.name: case.edit
    for case in CASES
    if case.name
    in (
        "CT Image Storage, axial",
        "negative rescale slope",
        "12 bits stored, signed",
        "padding, named in the wrong VR",
    )
}


@pytest.fixture(params=COMPRESSIONS)
def written(request, tmp_path, derivation):
    """Writes a study's own HU in one of the compressed syntaxes."""

    def write(study):
        folder = tmp_path / "out"
        write_series(study, study.volume.hu, study.grid, folder, derivation, request.param)
        for path in folder.iterdir():
            assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == COMPRESSIONS[request.param]
        return folder

    return write


@pytest.mark.parametrize("edit", KINDS.values(), ids=KINDS)
def test_every_value_returns(series, written, edit):
    study = read_study(series(2, edit))
    again = read_study(written(study))
    for index in range(len(study)):
        np.testing.assert_array_equal(again.pixels(index).hu, study.pixels(index).hu)
    assert len({header.SOPInstanceUID for header in again.headers}) == 2


def test_every_frame_returns(sample_series, written, tmp_path):
    enhanced_ct(sorted(sample_series.glob("*.dcm"))[:3]).save_as(tmp_path / "e.dcm")
    study = read_study(tmp_path / "e.dcm")
    np.testing.assert_array_equal(read_study(written(study)).volume.hu, study.volume.hu)


def test_it_is_smaller(series, written, rewrite):
    study = read_study(series(2))
    plain, packed = rewrite(study, "plain"), written(study)
    sizes = [sum(path.stat().st_size for path in folder.iterdir()) for folder in (plain, packed)]
    assert sizes[1] < 0.8 * sizes[0]


def test_gdcm_and_dcmtk_s_judges_read_it_too(series, written, tmp_path):
    study = read_study(series(1))
    folder = written(study)
    assert judges.new_findings(tmp_path / "series" / "00.dcm", folder / "0001.dcm") == set()
    again = judges.gdcm_plain(folder / "0001.dcm", tmp_path)
    np.testing.assert_array_equal(again.pixel_array - 1024.0, study.volume.hu[0])
    image = sitk.ReadImage(str(folder / "0001.dcm"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image)[0], study.volume.hu[0])
