"""A derived CT series as dciodvfy, DCMTK, GDCM, dcm2niix and SimpleITK see it."""

from __future__ import annotations

import judges
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from enhanced import enhanced_ct

from resample_ct.io.deidentify import deidentify
from resample_ct.io.derivation import Derivation
from resample_ct.io.dicom_write import write_series
from resample_ct.io.nifti_write import write_nifti
from resample_ct.io.read import read_study
from resample_ct.values.volume import Volume, reduce_in_plane


def axial(dataset, index):
    pass


def turn(*cosines):
    """Turns a stack, so that its slices follow one another along their new normal."""

    def edit(dataset, index):
        row, column = np.reshape(cosines, (2, 3))
        place = np.array([-100.0, -120.0, 40.0]) + 3.0 * index * np.cross(row, column)
        dataset.ImageOrientationPatient = [round(float(v), 8) for v in cosines]
        dataset.ImagePositionPatient = [round(float(v), 8) for v in place]

    return edit


def feet_first(dataset, index):
    turn(-1, 0, 0, 0, 1, 0)(dataset, index)
    dataset.PatientPosition = "FFS"


def anonymised(dataset, index):
    for keyword in ("StudyDate", "StudyTime", "PatientSex", "StudyDescription", "SeriesNumber"):
        delattr(dataset, keyword)
    dataset.PatientID = dataset.PatientName = ""


def japanese(dataset, index):
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    dataset.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"


STACKS = {
    "axial": axial,
    "oblique": turn(0.8, 0.6, 0, -0.48, 0.64, 0.6),
    "sagittal": turn(0, 1, 0, 0, 0, -1),
    "coronal": turn(1, 0, 0, 0, 0, -1),
    "feet first": feet_first,
    "anonymised": anonymised,
    "Japanese name": japanese,
}


@pytest.fixture(scope="module", params=STACKS.values(), ids=STACKS.keys())
def pair(request, sample_series, tmp_path_factory):
    """Source folder, result folder on the 256 x 256 grid, and the volume that was written."""
    source, result = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("result") / "dicom"
    for index, path in enumerate(sorted(sample_series.glob("*.dcm"))[:4]):
        dataset = pydicom.dcmread(path)
        request.param(dataset, index)
        dataset.save_as(source / path.name)
    study = read_study(source)
    volume = reduce_in_plane(study.volume, 256)
    # What CT Image Storage can hold: whole HU.
    volume = Volume(np.rint(volume.hu), volume.grid)
    derivation = Derivation("ReSample", 25, "ReSample from 25 views; prior p, sha256 0; seed 0", "0.1.0")
    write_series(study, volume.hu, volume.grid, result, derivation)
    return source, result, volume


def test_dciodvfy_finds_nothing_that_the_source_does_not_have(pair):
    source, result, _ = pair
    first = sorted(source.iterdir())[0]
    for path in sorted(result.iterdir()):
        assert judges.new_findings(first, path) == set()
        assert judges.errors(path) <= judges.errors(first)


def test_dcmtk_reads_every_attribute_and_shows_the_same_greys(pair, tmp_path):
    _, result, volume = pair
    for path, hu in zip(sorted(result.iterdir()), volume.hu, strict=True):
        assert "DERIVED\\PRIMARY\\AXIAL\\RESAMPLE" in judges.dcmtk_dump(path)
        shown = judges.dcmtk_render(path, tmp_path)
        np.testing.assert_array_equal(shown, np.clip(hu, -1000, 999))


def test_gdcm_reads_the_same_hu_and_place(pair, tmp_path):
    _, result, volume = pair
    for index, path in enumerate(sorted(result.iterdir())):
        told = judges.gdcm_info(path)
        assert "Rescale Intercept/Slope: (-1024,1)" in told
        assert "CT Image Storage" in told
        again = judges.gdcm_plain(path, tmp_path)
        np.testing.assert_array_equal(again.pixel_array - 1024.0, volume.hu[index])
        np.testing.assert_allclose(again.ImagePositionPatient, volume.grid.positions[index])


def test_dcm2niix_makes_the_nifti_that_we_write(pair, tmp_path):
    _, result, volume = pair
    write_nifti(volume.hu, volume.grid, tmp_path / "ours.nii")
    ours = judges.canonical(nib.load(tmp_path / "ours.nii"))
    theirs = judges.dcm2niix(result, tmp_path / "theirs")
    np.testing.assert_allclose(theirs.affine, ours.affine, atol=1e-3)
    np.testing.assert_array_equal(theirs.get_fdata(), ours.get_fdata())


def test_simpleitk_reads_the_same_hu_and_place(pair):
    _, result, volume = pair
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(result)))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.hu)
    for column, row, index in ((0, 0, 0), (255, 0, 3), (100, 200, 1)):
        place = (volume.grid.affine @ [column, row, index, 1])[:3]
        np.testing.assert_allclose(
            image.TransformIndexToPhysicalPoint((column, row, index)), place, atol=1e-3
        )


@pytest.mark.parametrize("enhanced", [False, True])
def test_dciodvfy_finds_nothing_new_in_a_de_identified_series(series, tmp_path, enhanced):
    source = series(2)
    first = source / "00.dcm"
    if enhanced:
        enhanced_ct(sorted(source.iterdir())).save_as(tmp_path / "e.dcm")
        source = first = tmp_path / "e.dcm"
    study = deidentify(read_study(source), b"secret")
    write_series(study, study.volume.hu, study.grid, tmp_path / "out", Derivation("TV", 25, "", "0"))
    result = tmp_path / "out" / "0001.dcm"
    # Dates and names that the profile empties are what a DICOMDIR would ask for.
    found = {line for line in judges.new_findings(first, result) if "DICOMDIR" not in line}
    assert found == set()
