"""Fed its own HU, a series comes back with every value and every place."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from resample_ct.io.dicom_write import write_series
from resample_ct.io.read import read_study
from resample_ct.values.volume import AIR_HU, reduce_in_plane

IDENTITY = (
    "PatientID",
    "PatientName",
    "PatientSex",
    "PatientAge",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyDescription",
    "AccessionNumber",
    "FrameOfReferenceUID",
    "PatientPosition",
    "BodyPartExamined",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "SliceThickness",
    "KVP",
    "GantryDetectorTilt",
)


def assert_same_place(grid, other):
    np.testing.assert_array_equal(grid.positions, other.positions)
    np.testing.assert_array_equal(grid.row_direction, other.row_direction)
    np.testing.assert_array_equal(grid.column_direction, other.column_direction)
    assert grid.spacing_mm == other.spacing_mm


def test_hu_and_place_return_from_every_syntax(coded_series, rewrite):
    source = read_study(coded_series)
    result = read_study(rewrite(source))
    np.testing.assert_array_equal(result.volume.hu, source.volume.hu)
    assert_same_place(result.grid, source.grid)


def test_the_patient_and_study_return_from_every_syntax(coded_series, rewrite):
    source = read_study(coded_series)
    for header, original in zip(read_study(rewrite(source)).headers, source.headers, strict=True):
        for keyword in IDENTITY:
            assert header[keyword].value == original[keyword].value, keyword


def test_simpleitk_reads_the_same_hu_and_geometry(series, rewrite, sitk_series):
    folder = series()
    before, after = sitk_series(folder), sitk_series(rewrite(read_study(folder)))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(after), sitk.GetArrayFromImage(before))
    assert after.GetOrigin() == before.GetOrigin()
    assert after.GetDirection() == before.GetDirection()
    np.testing.assert_allclose(after.GetSpacing(), before.GetSpacing())


def test_oblique_and_long_decimals_return_exactly(series, rewrite):
    def turn(dataset, index):
        dataset.ImageOrientationPatient = [0.8, 0.6, 0, -0.48, 0.64, 0.6]
        dataset.ImagePositionPatient = [-173.17675781250, 1e-7 / 3, 24.123456789 + index]
        dataset.ImagePositionPatient = [round(float(v), 12) for v in dataset.ImagePositionPatient]
        dataset.PixelSpacing = [0.64648437512345, 1 / 4]

    source = read_study(series(3, turn))
    assert_same_place(read_study(rewrite(source)).grid, source.grid)


def test_slope_and_intercept_of_the_source_return_its_hu(series, rewrite):
    def rescale(dataset, index):
        dataset.RescaleSlope, dataset.RescaleIntercept = 0.25, -1000.5 - index

    source = read_study(series(3, rescale))
    np.testing.assert_array_equal(read_study(rewrite(source)).volume.hu, source.volume.hu)


def padded(dataset, index):
    stored = dataset.pixel_array.astype(np.int32)
    stored[:40, :40] = -2000
    dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = 1, 16, 15
    dataset.PixelData = stored.astype("<i2").tobytes()
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue"):
        delattr(dataset, keyword)
    dataset.add_new("PixelPaddingValue", "US", 63536)


def test_padding_is_put_back_where_it_was(series, rewrite):
    source = read_study(series(2, padded))
    result = read_study(rewrite(source))
    for index in range(2):
        pixels = result.pixels(index)
        np.testing.assert_array_equal(pixels.hu, source.pixels(index).hu)
        np.testing.assert_array_equal(pixels.padding, source.pixels(index).padding)


def test_padding_is_named_in_the_vr_of_the_pixels(series, rewrite):
    element = pydicom.dcmread(rewrite(read_study(series(1, padded))) / "0001.dcm")["PixelPaddingValue"]
    assert (element.VR, element.value) == ("SS", -2000)


def test_a_padding_range_returns(series, rewrite):
    def ranged(dataset, index):
        padded(dataset, index)
        dataset.add_new("PixelPaddingValue", "SS", -2000)
        dataset.add_new("PixelPaddingRangeLimit", "SS", -1500)

    source = read_study(series(1, ranged))
    result = read_study(rewrite(source))
    assert result.headers[0].PixelPaddingRangeLimit == -1500
    np.testing.assert_array_equal(result.pixels(0).padding, source.pixels(0).padding)


def test_a_padding_value_that_no_pixel_has_is_not_named(derived):
    assert "PixelPaddingValue" not in derived(
        lambda dataset, index: dataset.add_new("PixelPaddingValue", "US", 4000)
    )


def test_padding_is_put_back_on_a_reduced_grid(series, tmp_path, derivation):
    source = read_study(series(1, padded))
    reduced = reduce_in_plane(source.volume, 256)
    write_series(source, reduced.hu, reduced.grid, tmp_path / "small", derivation)
    hu = read_study(tmp_path / "small").pixels(0).hu
    assert (hu[:20, :20] == -3024).all()
    np.testing.assert_array_equal(hu[20:], np.rint(reduced.hu[0, 20:]))


def test_a_reduced_pixel_that_was_measured_in_part_is_no_padding(series):
    def odd(dataset, index):
        padded(dataset, index)
        stored = dataset.pixel_array.copy()
        stored[:40, 39] = stored[39, :40] = 0
        dataset.PixelData = stored.tobytes()

    source = read_study(series(1, odd))
    hu = source.with_padding(np.zeros((256, 256), np.float32), 0)
    assert (hu[:19, :19] == -3024).all()
    assert not hu[19:].any()
    assert not hu[:, 19:].any()


def centre(header):
    row, column = np.reshape(header.ImageOrientationPatient, (2, 3))
    down, across = header.PixelSpacing
    shift = 0.5 * ((header.Columns - 1) * across * row + (header.Rows - 1) * down * column)
    return np.array(header.ImagePositionPatient) + shift


@pytest.mark.parametrize("size", [128, 256])
def test_a_reduced_grid_keeps_the_physical_centre(series, tmp_path, derivation, size):
    source = read_study(series(2))
    reduced = reduce_in_plane(source.volume, size)
    write_series(source, reduced.hu, reduced.grid, tmp_path / "small", derivation)
    for header, original in zip(read_study(tmp_path / "small").headers, source.headers, strict=True):
        np.testing.assert_allclose(centre(header), centre(original), atol=1e-9)
        assert (header.Rows, header.Columns) == (size, size)
        assert header.ReconstructionDiameter == pytest.approx(size * header.PixelSpacing[0])


def test_simpleitk_finds_the_reduced_voxels_where_they_were(series, tmp_path, derivation, sitk_series):
    source = read_study(series(2))
    reduced = reduce_in_plane(source.volume, 256)
    write_series(source, reduced.hu, reduced.grid, tmp_path / "small", derivation)
    image = sitk_series(tmp_path / "small")
    for column, row, index in ((0, 0, 0), (255, 0, 1), (100, 200, 0)):
        place = (reduced.grid.affine @ [column, row, index, 1])[:3]
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((column, row, index)), place)
        assert image[column, row, index] == np.rint(reduced.hu[index, row, column])


@pytest.mark.parametrize("hu", [-1000.0, 3071.0, 3072.0, 31743.0, -5000.0])
def test_hu_beyond_the_source_s_bits_are_stored_all_the_same(series, tmp_path, derivation, hu):
    source = read_study(series(1))
    image = np.full((512, 512), hu, np.float32)
    write_series(source, [image], source.grid, tmp_path / "derived", derivation)
    assert (read_study(tmp_path / "derived").pixels(0).hu == hu).all()


def test_a_volume_from_nifti_becomes_a_ct_series(nifti, rewrite, rng):
    hu = rng.integers(-1000, 2000, (6, 5, 4)).astype(np.int16)
    source = read_study(nifti(hu, np.diag([0.5, 0.7, 3.0, 1.0])))
    result = read_study(rewrite(source))
    np.testing.assert_array_equal(result.volume.hu, source.volume.hu)
    np.testing.assert_allclose(result.grid.affine, source.grid.affine)
    assert result.headers[0].SliceThickness == 3
    assert result.headers[0].SpecificCharacterSet == "ISO_IR 192"


def test_a_subset_of_the_slices_is_written_where_they_were(series, rewrite):
    def spaced(dataset, index):
        dataset.SpacingBetweenSlices = 8

    source = read_study(series(4, spaced)).select([0, 2])
    result = read_study(rewrite(source))
    assert_same_place(result.grid, source.grid)
    assert result.headers[0].SpacingBetweenSlices == 16


def test_air_outside_the_field_of_view_is_not_padding(series, rewrite):
    assert (read_study(rewrite(read_study(series(1)))).volume.hu >= AIR_HU - 24).all()


def test_headers_kept_as_json_are_enough(series, rewrite, tmp_path, derivation):
    whole = read_study(series(2))
    headers = tuple(pydicom.Dataset.from_json(header.to_json()) for header in whole.headers)
    kept = replace(whole, headers=headers, load=None)
    write_series(kept, whole.volume.hu, whole.grid, tmp_path / "out", derivation)
    result = read_study(tmp_path / "out")
    np.testing.assert_array_equal(result.volume.hu, whole.volume.hu)
    assert_same_place(result.grid, whole.grid)
