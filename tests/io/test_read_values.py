"""Stored values to HU: syntaxes, rescale, sign, padding."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from resample_ct.io.read import read_study


def store(dataset, stored, signed):
    """Replace a slice's pixels."""
    dataset.PixelRepresentation = int(signed)
    dataset.BitsStored, dataset.HighBit = 16, 15
    dataset.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue"):
        delattr(dataset, keyword)


def hu_of(path):
    return pydicom.dcmread(path).pixel_array.astype(np.float32) - 1024


def test_every_transfer_syntax_is_read_bit_exactly(coded_series, sample_series):
    study = read_study(coded_series)
    for header, hu in zip(study.headers, study.volume.hu, strict=True):
        number = header.InstanceNumber
        np.testing.assert_array_equal(hu, hu_of(sample_series / f"1-{number:02d}.dcm"))


def test_every_transfer_syntax_is_read_as_simpleitk_does(coded_series, sitk_series):
    study, other = read_study(coded_series), sitk_series(coded_series)
    np.testing.assert_array_equal(study.volume.hu, sitk.GetArrayFromImage(other))


def test_the_geometry_is_what_simpleitk_says(series, sitk_series):
    folder = series()
    grid, other = read_study(folder).grid, sitk_series(folder)
    for place in ((0, 0, 0), (511, 0, 0), (0, 511, 2), (17, 300, 3)):
        np.testing.assert_allclose(
            (grid.affine @ [*place, 1])[:3], other.TransformIndexToPhysicalPoint(place), atol=1e-9
        )


def test_slope_and_intercept_are_the_slice_s_own(series):
    def rescale(dataset, index):
        dataset.RescaleSlope, dataset.RescaleIntercept = 0.5 * (index + 1), -1000 - index

    folder = series(3, rescale)
    study = read_study(folder)
    for header, hu in zip(study.headers, study.volume.hu, strict=True):
        index = header.InstanceNumber - 1
        stored = pydicom.dcmread(folder / f"{index:02d}.dcm").pixel_array
        np.testing.assert_array_equal(hu, stored * 0.5 * (index + 1) - 1000 - index)


def test_signed_and_unsigned_pixels_are_the_same_hu(series):
    def sign(dataset, index):
        stored = dataset.pixel_array.astype(np.int32) - 1024
        store(dataset, stored, signed=True)
        dataset.RescaleIntercept = 0

    unsigned, signed = read_study(series(2)), read_study(series(2, sign, "signed"))
    np.testing.assert_array_equal(signed.volume.hu, unsigned.volume.hu)


def test_overlay_bits_above_the_stored_ones_are_no_hu(series):
    def overlay(dataset, index):
        stored = dataset.pixel_array | np.uint16(0x8000)
        dataset.PixelData = stored.astype("<u2").tobytes()

    clean, marked = read_study(series(2)), read_study(series(2, overlay, "marked"))
    np.testing.assert_array_equal(marked.volume.hu, clean.volume.hu)


def pad(vr, named):
    """Pads a corner with -2000, signed as scanners do, and names it in one of two VRs."""

    def edit(dataset, index):
        stored = dataset.pixel_array.astype(np.int32)
        stored[:20, :20] = -2000
        store(dataset, stored, signed=True)
        if named is not None:
            dataset.add_new("PixelPaddingValue", vr, named)

    return edit


PADDINGS = [("SS", -2000), ("US", 63536), ("US", None)]


@pytest.mark.parametrize(("vr", "named"), PADDINGS, ids=["signed", "wrong VR", "unnamed"])
def test_padding_and_what_lies_below_minus_1024_is_air(series, vr, named):
    plain, padded = read_study(series(2)), read_study(series(2, pad(vr, named), "padded"))
    expected = plain.volume.hu.copy()
    expected[:, :20, :20] = -1000
    np.testing.assert_array_equal(padded.volume.hu, expected)
    assert "padding outside the field of view taken as air in 2 slices" in padded.notes


def test_the_source_s_padding_can_still_be_had(series):
    pixels = read_study(series(2, pad("SS", -2000))).pixels(0)
    assert (pixels.hu[:20, :20] == -3024).all()
    assert pixels.padding[:20, :20].all()


def test_a_padding_range_is_air_from_end_to_end(series):
    def edit(dataset, index):
        stored = dataset.pixel_array.astype(np.int32)
        stored[0, :5] = [3000, 3001, 3050, 3100, 3101]
        store(dataset, stored, signed=False)
        dataset.add_new("PixelPaddingValue", "US", 3100)
        dataset.add_new("PixelPaddingRangeLimit", "US", 3001)

    hu = read_study(series(1, edit)).volume.hu[0, 0, :5]
    assert hu.tolist() == [1976, -1000, -1000, -1000, 2077]


@pytest.mark.parametrize(
    ("kind", "notes"), [("HU", ()), ("", ()), ("US", ("RescaleType US taken as HU",))]
)
def test_an_unspecified_unit_is_taken_as_hu_and_noted(series, kind, notes):
    study = read_study(series(1, lambda dataset, index: setattr(dataset, "RescaleType", kind)))
    assert study.notes == notes


def test_hash_is_of_the_values_whatever_the_file_is(series, tmp_path):
    folder = series(3)
    archive = shutil.make_archive(str(tmp_path / "zipped"), "zip", folder)
    hashes = {read_study(source).sha256() for source in (folder, Path(archive))}

    def one_more(dataset, index):
        pixels = dataset.pixel_array.copy()
        pixels[0, 0] += index == 2
        dataset.PixelData = pixels.tobytes()

    changed = read_study(series(3, one_more, name="changed"))
    assert len(hashes) == 1 and changed.sha256() not in hashes
    pairs = [[s.select([i]).sha256() for s in (changed, read_study(folder))] for i in range(3)]
    assert sorted(one == other for one, other in pairs) == [False, True, True]
