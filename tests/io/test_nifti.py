"""NIfTI in and out: every voxel keeps its place in the patient."""

import itertools
import struct

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from resample_ct.errors import StudyError
from resample_ct.io.nifti import read_nifti
from resample_ct.io.nifti_write import write_nifti
from resample_ct.io.read import read_study
from resample_ct.values.volume import Grid, Volume

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SHAPE = (2, 3, 4)
HU = np.arange(24, dtype=np.int16).reshape(SHAPE) * 50 - 1000


@st.composite
def affines(draw):
    """RAS affines: any order and direction of the axes, any spacing, slightly turned."""
    order = draw(st.sampled_from(list(itertools.permutations(range(3)))))
    signs = draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    spacing = draw(st.tuples(*[st.floats(0.3, 5.0)] * 3))
    angle = np.radians(draw(st.floats(-40.0, 40.0)))
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.eye(3)[:, order] * signs * spacing
    affine[:3, 3] = draw(st.tuples(*[st.floats(-300.0, 300.0)] * 3))
    return affine


def assert_same_voxels(array, affine, expected, expected_affine):
    """Each voxel's place in space holds the same HU, whatever the order of the axes."""
    indices = np.argwhere(np.ones(array.shape, bool))
    places = indices @ affine[:3, :3].T + affine[:3, 3]
    found = (places - expected_affine[:3, 3]) @ np.linalg.inv(expected_affine[:3, :3]).T
    np.testing.assert_allclose(found, found.round(), atol=1e-2)
    assert array.size == expected.size
    np.testing.assert_array_equal(array.reshape(-1), expected[tuple(found.round().astype(int).T)])


def write(volume, path, *description):
    write_nifti(volume.hu, volume.grid, path, *description)


@given(affine=affines())
@settings(max_examples=60, deadline=None)
def test_reading_keeps_every_voxel_s_place(tmp_path_factory, affine):
    path = tmp_path_factory.mktemp("nifti") / "ct.nii"
    nib.save(nib.Nifti1Image(HU, affine), path)
    volume = read_nifti(path).volume
    assert_same_voxels(volume.hu.transpose(2, 1, 0), LPS @ volume.grid.affine, HU, affine)


@given(affine=affines())
@settings(max_examples=60, deadline=None)
def test_a_round_trip_keeps_every_voxel_s_place(tmp_path_factory, affine):
    folder = tmp_path_factory.mktemp("nifti")
    nib.save(nib.Nifti1Image(HU, affine), folder / "in.nii")
    write(read_nifti(folder / "in.nii").volume, folder / "out.nii")
    result = nib.load(folder / "out.nii")
    assert_same_voxels(np.asarray(result.dataobj), result.affine, HU, affine)


@given(affine=affines())
@settings(max_examples=60, deadline=None)
def test_slices_are_ascending_and_right_handed(tmp_path_factory, affine):
    path = tmp_path_factory.mktemp("nifti") / "ct.nii"
    nib.save(nib.Nifti1Image(HU, affine), path)
    grid = read_nifti(path).grid
    assert (grid.gaps_mm > 0).all()
    assert grid.is_even


def test_an_axial_volume_is_read_as_dicom_would_show_it(nifti):
    grid = read_nifti(nifti(HU, np.diag([0.5, 0.7, 3.0, 1.0]))).grid
    np.testing.assert_array_equal(grid.row_direction, [1, 0, 0])
    np.testing.assert_array_equal(grid.column_direction, [0, 1, 0])
    np.testing.assert_allclose(grid.spacing_mm, (0.7, 0.5))


def test_scaled_integers_are_read_as_the_header_scales_them(nifti):
    path = nifti(HU, name="ct.nii")
    content = bytearray(path.read_bytes())
    struct.pack_into("<ff", content, 112, 0.5, -10)
    path.write_bytes(content)
    assert sorted(read_nifti(path).volume.hu.reshape(-1)) == sorted((HU * 0.5 - 10).reshape(-1))


def test_a_fourth_axis_of_one_is_no_obstacle(nifti):
    assert read_nifti(nifti(HU[..., None])).volume.hu.shape == (4, 3, 2)


def test_a_volume_without_air_is_noted(nifti):
    (note,) = read_nifti(nifti(np.maximum(HU, -300))).notes
    assert "is it in HU?" in note


@pytest.mark.parametrize("edit", [np.abs, lambda hu: hu + 1024, lambda hu: (hu + 1000) / 3000])
def test_a_volume_without_fat_is_refused(nifti, edit):
    """Normalised, or 1024 too high: as fine-tune refuses it."""
    with pytest.raises(StudyError, match="expected HU with fat or air below -100"):
        read_nifti(nifti(edit(HU.astype(np.float32))))


def forms(tmp_path, qform, code=1):
    image = nib.Nifti1Image(HU, np.diag([-1, -1, 2, 1.0]))
    image.set_sform(image.affine, code=1)
    image.set_qform(qform, code=code)
    nib.save(image, tmp_path / "ct.nii")
    return read_nifti(tmp_path / "ct.nii")


def test_a_qform_elsewhere_is_noted(tmp_path):
    moved = np.diag([-1, -1, 2, 1.0])
    moved[2, 3] = 30
    study = forms(tmp_path, moved)
    assert study.notes == ("sform and qform differ by up to 30 mm; the sform is used",)
    np.testing.assert_allclose(study.grid.positions[0, 2], 0)


@given(st.sampled_from([0, 1]), st.floats(0.25, 20), st.integers(0, 2))
@settings(max_examples=20, deadline=None)
def test_two_forms_are_noted_where_both_are_set_and_differ(tmp_path_factory, code, apart, axis):
    moved = np.diag([-1, -1, 2, 1.0])
    moved[axis, 3] = apart
    notes = forms(tmp_path_factory.mktemp("forms"), moved, code).notes
    assert any("sform and qform differ" in note for note in notes) == (code == 1)


def test_forms_that_agree_but_for_single_precision_are_not_noted(tmp_path):
    assert forms(tmp_path, np.diag([-1, -1, 2, 1.0])).notes == ()


def test_a_volume_without_a_place_is_noted(tmp_path):
    nib.save(nib.Nifti1Image(HU, None), tmp_path / "ct.nii")
    (note,) = read_nifti(tmp_path / "ct.nii").notes
    assert "sform and qform codes are 0" in note


def test_a_flat_corner_below_minus_1024_is_padding_and_a_lone_voxel_is_measured(nifti):
    hu = np.full((64, 64, 2), -1000.0)
    hu[20:40, 20:40] = 40
    hu[:12, :12] = -3024
    hu[30, 30, 1] = -1100
    study = read_nifti(nifti(hu))
    assert study.volume.hu.min() == -1100
    assert [int(study.pixels(i).padding.sum()) for i in range(2)] == [144, 144]


def test_dicom_becomes_nifti_that_simpleitk_finds_at_the_same_place(series, tmp_path, sitk_series):
    folder = series(3)
    write(read_study(folder).volume, tmp_path / "ct.nii.gz")
    before, after = sitk_series(folder), sitk.ReadImage(tmp_path / "ct.nii.gz")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(after), sitk.GetArrayFromImage(before))
    for place in ((0, 0, 0), (511, 0, 1), (300, 500, 2)):
        np.testing.assert_allclose(
            after.TransformIndexToPhysicalPoint(place),
            before.TransformIndexToPhysicalPoint(place),
            atol=1e-3,
        )


def test_dicom_to_nifti_and_back_is_the_same_volume(series, tmp_path):
    before = read_study(series(3)).volume
    write(before, tmp_path / "ct.nii.gz")
    after = read_study(tmp_path / "ct.nii.gz").volume
    np.testing.assert_array_equal(after.hu, before.hu)
    np.testing.assert_allclose(after.grid.affine, before.grid.affine, atol=1e-4)


def volume(positions, hu=None):
    positions = np.array(positions, float)
    grid = Grid(
        positions=positions,
        row_direction=np.array([1.0, 0, 0]),
        column_direction=np.array([0.0, np.cos(0.3), -np.sin(0.3)]),
        spacing_mm=(0.7, 0.5),
        rows=2,
        columns=3,
        thickness_mm=1.0,
    )
    if hu is None:
        hu = np.arange(len(positions) * 6.0).reshape(-1, 2, 3) - 1000
    return Volume(np.asarray(hu, np.float32), grid)


def test_tilt_becomes_shear_in_the_sform(tmp_path):
    tilted = volume([[10, 20, 5 * z] for z in range(4)])
    write(tilted, tmp_path / "ct.nii")
    image = nib.load(tmp_path / "ct.nii")
    np.testing.assert_allclose(image.get_sform()[:3, 2], [0, 0, 5], atol=1e-6)
    np.testing.assert_allclose(image.get_sform()[:3, 3], [-10, -20, 0], atol=1e-6)
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 0)


def test_an_upright_stack_has_both_forms(tmp_path):
    normal = volume([[0, 0, 0]]).grid.normal
    write(volume([k * 4 * normal for k in range(3)]), tmp_path / "ct.nii")
    image = nib.load(tmp_path / "ct.nii")
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 1)
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-5)


def test_uneven_slices_are_a_file_for_each_even_run_and_none_is_made_up(tmp_path):
    normal = volume([[0, 0, 0]]).grid.normal
    places = np.array([0.0, 3, 9, 12, 17])
    uneven = volume(places[:, None] * normal + [5, 6, 7])
    files = write_nifti(uneven.hu, uneven.grid, tmp_path / "ct.nii", numbers=[2, 3, 5, 6, 8])
    assert [file.name for file in files] == [
        "ct-slices-2-3.nii",
        "ct-slices-5-6.nii",
        "ct-slices-8.nii",
    ]
    parts = [read_nifti(file).volume for file in files]
    np.testing.assert_array_equal(np.concatenate([part.hu for part in parts]), uneven.hu)
    np.testing.assert_allclose(
        np.concatenate([part.grid.positions for part in parts]), uneven.grid.positions, atol=1e-5
    )


def test_the_qform_is_left_out_where_it_would_move_a_voxel(tmp_path):
    """A tilt of a fifth of a degree takes the last of 100 slices 1.7 mm aside."""
    leaning = volume([[0, 5 * k * np.sin(0.3035), 5 * k * np.cos(0.3035)] for k in range(100)])
    write(leaning, tmp_path / "ct.nii")
    image = nib.load(tmp_path / "ct.nii")
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 0)


def test_whole_numbers_are_stored_as_such_and_others_exactly(tmp_path):
    fractions = volume([[0, 0, 0], [0, 0, 1]], np.linspace(-1000, 2000, 12).reshape(2, 2, 3) / 3)
    write(fractions, tmp_path / "fractions.nii")
    write(volume([[0, 0, 0], [0, 0, 1]]), tmp_path / "whole.nii")
    assert nib.load(tmp_path / "whole.nii").get_data_dtype() == np.int16
    stored = np.asarray(nib.load(tmp_path / "fractions.nii").dataobj)
    np.testing.assert_array_equal(stored, fractions.hu.transpose(2, 1, 0))


def test_the_description_fits_the_header(tmp_path):
    write(volume([[0, 0, 0]]), tmp_path / "ct.nii", "é" + "x" * 100)
    assert nib.load(tmp_path / "ct.nii").header["descrip"] == b"?" + b"x" * 78


def test_a_lone_slice_has_its_thickness(tmp_path):
    write(volume([[0, 0, 0]]), tmp_path / "ct.nii")
    assert nib.load(tmp_path / "ct.nii").header.get_zooms()[2] == pytest.approx(1.0)


def test_nifti_has_no_series_to_choose(tmp_path):
    path = tmp_path / "volume.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 2), np.int16), np.eye(4)), path)
    with pytest.raises(StudyError, match=r"--series 1\.2: found a NIfTI"):
        read_study(path, "1.2")
