"""Values that are no HU are refused or said: unsigned, shifted, normalised, without air."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resample_ct.errors import StudyError
from resample_ct.io.plausible import ValueRange, above
from resample_ct.io.read import read_study
from resample_ct.io.study import SlicePixels

REMEDY = "convert it"


def body(shift=0.0, scale=1.0, background=None):
    """Noisy air, fat about soft tissue and bone; 64 x 64."""
    rows, columns = np.mgrid[:64, :64] - 31.5
    radius = np.hypot(rows, columns)
    hu = np.select([radius < 6, radius < 20, radius < 24], [900.0, 40.0, -110.0], -1000.0)
    hu += 15 * np.random.default_rng(0).standard_normal(hu.shape)
    if background is not None:
        hu[radius >= 30] = background
    return SlicePixels.of(((hu + shift) * scale).astype(np.float32))


def seen(*slices):
    values = ValueRange()
    for pixels in slices:
        values.add("ct", pixels, REMEDY)
    return values


def test_a_body_in_air_is_plausible():
    values = seen(body(), body())
    assert not values.is_no_hu and values.notes() == []


@given(st.floats(1000, 2000), st.sampled_from([None, -1000.0, -1024.0, -2000.0]))
def test_a_shift_upwards_is_seen_whatever_the_background_was_set_to(shift, background):
    pixels = body(background=background)
    values = seen(SlicePixels.of(pixels.hu + np.float32(shift)))
    assert values.is_no_hu


def test_normalised_values_are_no_hu():
    assert seen(body(1000, 1 / 3000)).is_no_hu


def test_a_second_intercept_is_noted():
    (note,) = seen(body(-1024)).notes()
    assert "of the values lie below -1200, where air is -1000: is it in HU?" in note


def test_streaks_below_air_are_not_noted():
    pixels = body()
    pixels.hu[:2] = -1400 + 30 * np.random.default_rng(1).standard_normal((2, 64))
    assert seen(SlicePixels.of(pixels.hu)).notes() == []


@given(st.floats(32768, 70000))
def test_more_than_any_scale_holds_is_refused(value):
    pixels = body()
    pixels.hu[30, 30] = value
    with pytest.raises(StudyError, match=f"ct: found .* HU, expected at most 32767.*{REMEDY}"):
        seen(pixels)


@pytest.mark.parametrize("value", [8000, 30710])
def test_metal_and_extended_scales_are_plausible(value):
    pixels = body()
    pixels.hu[30, 30] = value
    assert seen(pixels).notes() == []
    assert above(pixels, 2000.0) == 1


def test_padding_is_no_value():
    pixels = body()
    pixels.padding[:10] = True
    pixels.hu[:10] = 62512
    assert seen(pixels).notes() == []
    assert above(pixels, 2000.0) == 0


def test_signed_values_declared_unsigned_are_refused(series, refusal):
    def edit(dataset, index):
        hu = dataset.pixel_array.astype(np.int32) - 1024
        dataset.PixelData = hu.astype("<i2").tobytes()
        dataset.BitsStored, dataset.HighBit, dataset.RescaleIntercept = 16, 15, 0
        dataset.PixelRepresentation = 0

    message = refusal(series(1, edit))
    assert "PixelData (7FE0,0010): found 655" in message
    assert "PixelRepresentation (0028,0103) is 0" in message


@pytest.mark.parametrize("intercept", [0, 100])
def test_a_forgotten_intercept_is_noted(series, intercept):
    study = read_study(series(1, lambda dataset, i: setattr(dataset, "RescaleIntercept", intercept)))
    assert any("no air: is it in HU?" in note for note in study.notes)


def test_a_padding_value_of_water_is_told_and_not_passed_on(series, rewrite):
    def edit(dataset, index):
        hu = dataset.pixel_array.astype(np.int32) - 1024
        dataset.PixelData = hu.astype("<i2").tobytes()
        dataset.BitsStored, dataset.HighBit, dataset.RescaleIntercept = 16, 15, 0
        dataset.PixelRepresentation = 1
        for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue"):
            dataset.pop(keyword, None)
        dataset.add_new("PixelPaddingValue", "SS", 0)

    plain, named = read_study(series(1)), read_study(series(1, edit, "named"))
    water = int((plain.volume.hu == 0).sum())
    assert water > 100
    np.testing.assert_array_equal(named.volume.hu, plain.volume.hu)
    assert any(
        f"PixelPaddingValue (0028,0120): 0 is a value of the body as well; {water}" in n
        for n in named.notes
    )
    written = rewrite(named)
    assert "PixelPaddingValue" not in pydicom.dcmread(written / "0001.dcm")
    np.testing.assert_array_equal(read_study(written).volume.hu, plain.volume.hu)
