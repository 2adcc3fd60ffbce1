"""A volume goes to NIfTI slice by slice."""

from __future__ import annotations

import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from resample_ct.io.nifti_write import write_nifti
from resample_ct.values.volume import Grid


def grid(z):
    return Grid(
        positions=np.stack([np.zeros(len(z)), np.zeros(len(z)), z], axis=1).astype(float),
        row_direction=np.array([1.0, 0, 0]),
        column_direction=np.array([0, 1.0, 0]),
        spacing_mm=(0.7, 0.7),
        rows=64,
        columns=48,
        thickness_mm=1.0,
    )


class Slices:
    """Made when they are gone through, and counted."""

    def __init__(self, count):
        self.count, self.made = count, 0

    def __iter__(self):
        for index in range(self.count):
            self.made += 1
            yield np.full((64, 48), index + 0.5, np.float32)


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
@pytest.mark.parametrize("even", [True, False])
def test_a_long_volume_takes_no_more_memory_than_some_slices(tmp_path, name, even):
    z = np.arange(1500.0)
    if not even:
        z[750:] += 1.0
    slices = Slices(len(z))
    tracemalloc.start()
    try:
        files = write_nifti(slices, grid(z), tmp_path / name)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert slices.made >= len(z)
    assert peak < 40 * 64 * 48 * 4  # of 1,500
    assert len(files) == (1 if even else 2)
    written = [nib.load(file) for file in files]
    found = np.concatenate([np.asarray(image.dataobj)[3, 5] for image in written])
    np.testing.assert_array_equal(found, np.arange(1500) + 0.5)
    assert all(image.dataobj.offset == 352 and image.dataobj.slope == 1 for image in written)


def test_one_slice_too_few_or_too_many_is_an_error_and_leaves_no_file(tmp_path):
    for count in (2, 4):
        with pytest.raises(ValueError, match=r"zip|more slices"):
            write_nifti(Slices(count), grid(np.arange(3.0)), tmp_path / "ct.nii")
        with pytest.raises(ValueError, match=r"zip|more slices"):
            write_nifti(Slices(count), grid(np.array([0.0, 1, 7])), tmp_path / "ct.nii")
    assert list(tmp_path.iterdir()) == []
