"""Stacks that are not plain axial ones keep their geometry."""

import numpy as np
import pytest

from resample_ct.io.read import read_study

AXIAL = np.array([[1.0, 0, 0], [0, 1, 0]])


def place(positions, orientation=AXIAL):
    def edit(dataset, index):
        dataset.ImagePositionPatient = [round(float(v), 9) for v in positions[index]]
        dataset.ImageOrientationPatient = [round(float(v), 9) for v in np.ravel(orientation)]

    return edit


def stack(step, count=4, first=(-170.0, -290, 30)):
    return np.array(first) + np.arange(count)[:, None] * step


def test_uneven_spacing_keeps_every_position_and_is_noted(series):
    positions = np.array([[-170, -290, z] for z in (0.0, 5, 11, 15)])
    study = read_study(series(4, place(positions)))
    np.testing.assert_array_equal(study.grid.positions, positions)
    assert study.notes == ("uneven spacing of 4 to 6 mm kept slice by slice",)


def test_even_spacing_is_not_noted(series):
    assert read_study(series(4, place(stack([0, 0, 5.0])))).notes == ()


def test_tilt_keeps_every_position_and_is_noted(series):
    tilt = np.radians(20)
    orientation = [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)]]
    positions = stack([0, 0, 5.0])
    study = read_study(series(4, place(positions, orientation)))
    np.testing.assert_array_equal(study.grid.positions, positions)
    np.testing.assert_allclose(study.grid.slice_step, [0, 0, 5], atol=1e-12)
    np.testing.assert_allclose(study.grid.gaps_mm, 5 * np.cos(tilt), atol=1e-8)
    assert study.notes == ("slices are sheared (gantry tilt); the geometry is kept as it is",)


def test_slices_shifted_in_their_plane_are_noted(series):
    positions = stack([0, 0, 5.0])
    positions[2, 0] += 20
    assert "shifted in their plane" in read_study(series(4, place(positions))).notes[0]


ORIENTATIONS = {
    "sagittal": [[0, 1, 0], [0, 0, -1]],
    "coronal": [[1, 0, 0], [0, 0, -1]],
    "prone": [[-1, 0, 0], [0, -1, 0]],
    "feet first": [[-1, 0, 0], [0, 1, 0]],
    "oblique": [[0.8, 0.6, 0], [-0.48, 0.64, 0.6]],
}


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS.keys())
def test_any_orientation_is_sorted_along_its_normal(series, orientation, sitk_series):
    normal = np.cross(*orientation)
    positions = stack(normal * 5.0)
    folder = series(4, place(positions[[2, 0, 3, 1]], orientation))
    study = read_study(folder)
    np.testing.assert_allclose(study.grid.positions, positions, atol=1e-8)
    np.testing.assert_allclose(study.grid.row_direction, orientation[0])
    np.testing.assert_allclose(study.grid.column_direction, orientation[1])
    assert study.notes == ()
    other = sitk_series(folder)
    np.testing.assert_allclose(
        (study.grid.affine @ [10, 20, 3, 1])[:3],
        other.TransformIndexToPhysicalPoint((10, 20, 3)),
        atol=1e-6,
    )


def test_a_lone_slice_is_as_thick_as_its_header_says(series):
    study = read_study(series(1, lambda dataset, i: setattr(dataset, "SliceThickness", 2.5)))
    assert len(study) == 1
    np.testing.assert_array_equal(study.grid.slice_step, [0, 0, 2.5])


def test_planned_gaps_with_unbroken_numbers_are_uneven_spacing(series):
    positions = np.array([[-170, -290, z] for z in (0.0, 5, 15, 20)])
    assert "uneven" in read_study(series(4, place(positions))).notes[0]
