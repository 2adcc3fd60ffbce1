"""A derived Enhanced CT as dciodvfy, DCMTK, GDCM, dcm2niix and SimpleITK see it."""

from __future__ import annotations

import shutil

import judges
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from enhanced import enhanced_ct
from study_cases import legacy_converted

from resample_ct.io.derivation import Derivation
from resample_ct.io.dicom_write import write_series
from resample_ct.io.nifti_write import write_nifti
from resample_ct.io.parametric_map import write_spread_series
from resample_ct.io.read import read_study
from resample_ct.values.volume import Volume, reduce_in_plane


@pytest.fixture(scope="module")
def pair(sample_series, tmp_path_factory):
    """Source file, derived file, and the volume that was written."""
    source = tmp_path_factory.mktemp("source") / "e.dcm"
    result = tmp_path_factory.mktemp("result") / "dicom"
    enhanced_ct(sorted(sample_series.glob("*.dcm"))[:4]).save_as(source)
    study = read_study(source)
    volume = reduce_in_plane(study.volume, 256)
    volume = Volume(np.rint(volume.hu), volume.grid)
    derivation = Derivation("ReSample", 25, "ReSample from 25 views; prior p, sha256 0; seed 0", "0.1.0")
    write_series(study, volume.hu, volume.grid, result, derivation)
    return source, result / "0001.dcm", volume


def test_dciodvfy_finds_no_error_at_all(pair):
    source, result, _ = pair
    assert judges.errors(result) == set()
    assert judges.new_findings(source, result) == set()


def test_dcmtk_shows_every_frame_as_it_is(pair, tmp_path):
    _, result, volume = pair
    assert "=EnhancedCTImageStorage" in judges.dcmtk_dump(result)
    for index, hu in enumerate(volume.hu):
        shown = judges.dcmtk_render(result, tmp_path, frame=index + 1)
        np.testing.assert_array_equal(shown, np.clip(hu, -1000, 999))


def test_gdcm_reads_every_stored_value(pair, tmp_path):
    _, result, volume = pair
    assert "Enhanced CT Image Storage" in judges.gdcm_info(result)
    again = judges.gdcm_plain(result, tmp_path)
    np.testing.assert_array_equal(again.pixel_array - 1024.0, volume.hu)


def test_dcm2niix_makes_the_nifti_that_we_write(pair, tmp_path):
    _, result, volume = pair
    write_nifti(volume.hu, volume.grid, tmp_path / "ours.nii")
    ours = judges.canonical(nib.load(tmp_path / "ours.nii"))
    theirs = judges.dcm2niix(result.parent, tmp_path / "theirs")
    np.testing.assert_allclose(theirs.affine, ours.affine, atol=1e-3)
    np.testing.assert_array_equal(theirs.get_fdata(), ours.get_fdata())


def test_simpleitk_reads_the_same_hu_and_place(pair):
    _, result, volume = pair
    image = sitk.ReadImage(str(result))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.hu)
    for column, row, index in ((0, 0, 0), (255, 0, 3), (100, 200, 1)):
        place = (volume.grid.affine @ [column, row, index, 1])[:3]
        np.testing.assert_allclose(
            image.TransformIndexToPhysicalPoint((column, row, index)), place, atol=1e-3
        )


@pytest.fixture
def legacy(sample_series, tmp_path):
    """A Legacy Converted Enhanced CT of three real slices."""
    folder = tmp_path / "legacy"
    folder.mkdir()
    for path in sorted(sample_series.glob("*.dcm"))[:3]:
        shutil.copy(path, folder)
    legacy_converted(folder)
    return folder / "legacy.dcm"


@pytest.mark.filterwarnings("ignore::UserWarning:highdicom")
@pytest.mark.parametrize("form", ["reconstruction", "spread"])
def test_what_was_converted_becomes_single_frames_without_an_error(legacy, sample_series, tmp_path, form):
    study = read_study(legacy)
    derivation = Derivation("ReSample", 25, "", "0.1.0")
    if form == "reconstruction":
        write_series(study, study.volume.hu, study.grid, tmp_path / "out", derivation)
    else:
        zeros = np.zeros_like(study.volume.hu)
        write_spread_series(study, study.grid, zeros, tmp_path / "out", derivation)
    paths = list((tmp_path / "out").iterdir())
    assert all(judges.errors(path) == set() for path in paths)
    # What conversion had put away comes back: each slice's own tube current.
    before = [pydicom.dcmread(path) for path in sorted(sample_series.glob("*.dcm"))[:3]]
    kept, original = (
        {(float(d.ImagePositionPatient[2]), int(d.XRayTubeCurrent)) for d in slices}
        for slices in (map(pydicom.dcmread, paths), before)
    )
    assert kept == original


def test_the_spread_of_an_enhanced_ct_is_a_series_of_single_frames(pair, tmp_path):
    source, _, _ = pair
    study = read_study(source)
    zeros = np.zeros_like(study.volume.hu)
    write_spread_series(study, study.grid, zeros, tmp_path / "out", Derivation("TV", 25, "", "0"))
    for path in (tmp_path / "out").iterdir():
        assert judges.errors(path) == set()
        assert "PerFrameFunctionalGroupsSequence" not in pydicom.dcmread(path)
