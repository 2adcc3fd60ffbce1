"""A derived DICOM series and its NIfTI hold the same HU at the same places, whatever the stack."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resample_ct.io.derivation import Derivation
from resample_ct.io.dicom_write import write_series
from resample_ct.io.nifti_write import write_nifti
from resample_ct.io.parametric_map import write_parametric_map, write_spread_series
from resample_ct.io.study import Study
from resample_ct.values.spacing import even_runs, is_even
from resample_ct.values.volume import Grid

ROWS, COLUMNS = 2, 3
DERIVATION = Derivation("FBP", 25, "FBP from 25 views", "0.1.0")
# What a step may differ from even by, see `spacing.is_even`, and the rounding of 16 characters.
TOLERANCE = 0.011


@st.composite
def stacks(draw):
    """A stack in any direction and order: even, uneven, with gaps, tilted, rounded, of one slice."""
    angles = draw(st.tuples(*[st.sampled_from([0.0, 0.0, 0.3, -1.2, np.pi / 2, np.pi])] * 3))
    axes = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        one, other = [(1, 2), (0, 2), (0, 1)][axis]
        turn[[one, one, other, other], [one, other, one, other]] = np.array([1, -1, 1, 1]) * [
            np.cos(angle),
            np.sin(angle),
            np.sin(angle),
            np.cos(angle),
        ]
        axes = turn @ axes
    step = draw(st.sampled_from([0.6, 1.25, 3.0, 8.0]))
    gaps = draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 0.5, 28, 1.3]), max_size=9))
    along = step * np.concatenate([[0.0], np.cumsum(gaps)])
    tilt = draw(st.sampled_from([0.0, 0.0, 0.02, -0.4]))
    positions = np.array([10.0, -20.0, 30.0]) + along[:, None] * (axes[2] + tilt * axes[1])
    decimals = draw(st.sampled_from([1, 2, 6, 9]))
    order = draw(st.sampled_from(["ascending", "descending", "shuffled"]))
    places = np.arange(len(positions))
    places = places[::-1] if order == "descending" else places
    places = draw(st.permutations(places.tolist())) if order == "shuffled" else places
    return Grid(
        np.round(positions[list(places)], decimals), axes[0], axes[1], (0.7, 0.5), ROWS, COLUMNS, step
    )


def values(grid):
    """Another HU in every voxel."""
    return np.arange(len(grid) * ROWS * COLUMNS, dtype=np.float32).reshape(-1, ROWS, COLUMNS) - 1000


def voxels(affine_lps, hu):
    """(N, 4) world positions in LPS mm and HU of an array in the affine's order."""
    indices = np.argwhere(np.ones(hu.shape, bool))
    places = indices @ affine_lps[:3, :3].T + affine_lps[:3, 3]
    return np.column_stack([places, hu.reshape(-1)])


def nifti_voxels(files):
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    images = [nib.load(file) for file in files]
    return np.concatenate([voxels(flip @ i.affine, np.asarray(i.dataobj)) for i in images])


def slice_affine(position, orientation, spacing):
    """Of (column, row, 0), as PS3.3 C.7.6.2.1.1 has it."""
    affine = np.eye(4)
    affine[:3, 0] = np.array(orientation[:3], float) * float(spacing[1])
    affine[:3, 1] = np.array(orientation[3:], float) * float(spacing[0])
    affine[:3, 3] = np.array(position, float)
    return affine


def dicom_voxels(folder):
    found = []
    for path in sorted(folder.iterdir()):
        slice_ = pydicom.dcmread(path)
        hu = slice_.pixel_array * float(slice_.RescaleSlope) + float(slice_.RescaleIntercept)
        affine = slice_affine(
            slice_.ImagePositionPatient, slice_.ImageOrientationPatient, slice_.PixelSpacing
        )
        found.append(voxels(affine, hu.T[:, :, None]))
    return np.concatenate(found)


def map_voxels(path):
    made = pydicom.dcmread(path)
    shared = made.SharedFunctionalGroupsSequence[0]
    spacing = shared.PixelMeasuresSequence[0].PixelSpacing
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    pixels = np.frombuffer(made.FloatPixelData, "<f4").reshape(-1, ROWS, COLUMNS)
    found = []
    for frame, hu in zip(made.PerFrameFunctionalGroupsSequence, pixels, strict=True):
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        found.append(voxels(slice_affine(position, orientation, spacing), hu.T[:, :, None]))
    return np.concatenate(found)


def assert_same(one, other, tolerance):
    """The same HU, each once, within `tolerance` mm of the same place: none more, none moved."""
    one, other = (found[np.argsort(found[:, 3])] for found in (one, other))
    assert len(one) == len(other)
    np.testing.assert_allclose(one[:, 3], other[:, 3], atol=1e-3)
    assert np.linalg.norm(one[:, :3] - other[:, :3], axis=1).max() <= tolerance


def tolerance_of(grid):
    """1 % of the step, and of positions written to 0.1 mm a unit along each axis."""
    return 0.01 * max(np.abs(grid.gaps_mm), default=1) + 0.1 * np.sqrt(3) + TOLERANCE


@given(grid=stacks())
@settings(max_examples=25, deadline=None)
def test_dicom_and_nifti_agree_voxel_by_voxel(tmp_path_factory, grid):
    folder = tmp_path_factory.mktemp("places")
    hu = values(grid)
    study = Study("made up", grid, (), None, tuple(range(len(grid))))
    write_series(study, hu, grid, folder / "dicom", DERIVATION)
    files = write_nifti(hu, grid, folder / "ct.nii")
    assert_same(dicom_voxels(folder / "dicom"), nifti_voxels(files), tolerance_of(grid))


@given(grid=stacks())
@settings(max_examples=5, deadline=None)
def test_the_uncertainty_map_lies_where_the_reconstruction_does(tmp_path_factory, grid):
    folder = tmp_path_factory.mktemp("places")
    spread = values(grid) + 1000
    study = Study("made up", grid, (), None, tuple(range(len(grid))))
    write_series(study, values(grid), grid, folder / "dicom", DERIVATION)
    write_parametric_map(study, folder / "dicom", grid, spread, folder / "map.dcm", DERIVATION)
    write_spread_series(study, grid, spread, folder / "series", DERIVATION)
    files = write_nifti(spread, grid, folder / "map.nii")
    places = dicom_voxels(folder / "dicom")
    places[:, 3] += 1000
    assert_same(map_voxels(folder / "map.dcm"), places, TOLERANCE)
    assert_same(dicom_voxels(folder / "series"), places, TOLERANCE)
    assert_same(nifti_voxels(files), places, tolerance_of(grid))


@given(grid=stacks())
def test_runs_are_even_and_hold_every_slice_once(grid):
    runs = even_runs(grid.positions)
    assert [place for run in runs for place in run] == list(range(len(grid)))
    assert all(is_even(grid.positions[run.start : run.stop]) for run in runs)


@pytest.mark.parametrize(
    ("heights", "runs"),
    [
        ([0, 8, 16, 24], [4]),
        ([24, 16, 8, 0], [4]),
        ([0, 8, 232], [2, 1]),
        ([0, 224, 232], [1, 2]),
        ([0, 3, 8, 11], [2, 2]),
        ([24, 16, 10, 0], [1, 2, 1]),
        ([0, 1, 2, 3, 8, 13, 18], [4, 3]),
        ([0, 5, 10, 15, 16, 17], [4, 2]),
        ([0, 1.3, 2.5, 3.8, 5.0], [5]),
        ([0, 80, 160], [3]),
        ([7], [1]),
        ([0, 8, 4, 12], [1, 2, 1]),
    ],
)
def test_runs_are_the_longest_then_the_closest(heights, runs):
    positions = np.outer(np.array(heights, float), [0, 0, 1])
    assert [len(run) for run in even_runs(positions)] == runs
