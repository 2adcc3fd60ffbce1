"""The sinogram file: what is written is read, and what is wrong is named."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resample_ct.errors import SinogramError
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.noise import attenuation_per_unit
from resample_ct.physics.sinogram_file import Sinogram, is_sinogram_file, read_sinogram, write_sinogram
from resample_ct.values.units import Window
from resample_ct.values.volume import Grid

DATA = np.random.default_rng(0).random((2, 3, 6)).astype(np.float32)
ANGLES = np.array([0.0, 0.5, 2.0])


@pytest.fixture
def sinogram():
    axes = np.array([0.6, 0.8, 0.0]), np.array([-0.8, 0.6, 0.0])
    positions = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 5.5]])
    return Sinogram(
        data=DATA,
        geometry=ParallelBeam(4, tuple(ANGLES), 6, 1.25),
        grid=Grid(positions, *axes, (0.7, 0.7), 4, 4, 2.5),
        window=Window(-1000.0, 1500.0),
        noise="gaussian:0.01 (simulated)",
        noise_sigma=np.array([0.1, 0.2]),
        source="3-B40f",
        source_headers=('{"00100010": {}}', "{}"),
    )


@pytest.fixture
def users_file(tmp_path):
    """Makes the least that a user must write, changed by `edit(file)`."""

    def make(edit=lambda file: None):
        path = tmp_path / "mine.h5"
        with h5py.File(path, "w") as file:
            file.attrs.update(format="resample-ct-sinogram", version=1, image_size=4, pixel_mm=0.7)
            file["sinogram"] = DATA
            file["sinogram"].attrs["units"] = "pixel"
            file["angles"] = ANGLES
            edit(file)
        return path

    return make


def test_read_inverts_write(sinogram, tmp_path):
    write_sinogram(sinogram, tmp_path / "new" / "a.h5")
    found = read_sinogram(tmp_path / "new" / "a.h5")
    for name in ("geometry", "window", "noise", "source", "source_headers"):
        assert getattr(found, name) == getattr(sinogram, name)
    np.testing.assert_array_equal(found.data, sinogram.data)
    np.testing.assert_array_equal(found.noise_sigma, sinogram.noise_sigma)
    np.testing.assert_array_equal(found.grid.affine, sinogram.grid.affine)
    assert found.grid.thickness_mm == 2.5


def test_read_inverts_write_of_the_least(sinogram, tmp_path):
    write_sinogram(replace(sinogram, noise_sigma=None, source_headers=()), tmp_path / "a.h5")
    found = read_sinogram(tmp_path / "a.h5")
    assert found.noise_sigma is None and found.source_headers == ()


def test_users_least_file_gets_the_defaults(users_file):
    found = read_sinogram(users_file())
    assert found.geometry == ParallelBeam(4, tuple(ANGLES), 6, 1.0)
    assert (found.window, found.noise, found.source) == (Window(), "measured", "mine.h5")
    np.testing.assert_allclose(found.grid.positions, [[-1.05, -1.05, 0], [-1.05, -1.05, 1]])


def test_attenuation_is_converted_to_pixels(users_file):
    def edit(file):
        file["sinogram"].attrs["units"] = "attenuation"
        file["noise_sigma"] = [0.3, 0.6]

    found, unit = read_sinogram(users_file(edit)), attenuation_per_unit(0.7, Window())
    np.testing.assert_allclose(found.data, DATA / unit, rtol=1e-6)
    np.testing.assert_allclose(found.noise_sigma, np.array([0.3, 0.6]) / unit)


def test_text_of_fixed_length_and_numbers_in_arrays_are_read_as_matlab_writes_them(users_file):
    def edit(file):
        file.attrs["format"] = np.bytes_("resample-ct-sinogram")
        file.attrs["version"] = np.array([1.0])
        file.attrs["image_size"] = np.array([4.0])
        file["sinogram"].attrs["units"] = np.bytes_("pixel")

    np.testing.assert_array_equal(read_sinogram(users_file(edit)).data, DATA)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    heights=st.lists(st.integers(-500, 500), min_size=1, max_size=5, unique=True),
    tilt=st.floats(-0.5, 0.5),
)
def test_slices_in_any_order_come_back_ascending_with_all_that_is_theirs(tmp_path, heights, tilt):
    """`heights` in half millimetres along the normal, in the order of the file."""
    count = len(heights)
    data = np.arange(count, dtype=np.float32)[:, None, None] + DATA[0]
    row, column = np.array([1.0, 0, 0]), np.array([0, np.cos(tilt), np.sin(tilt)])
    positions = 0.5 * np.array(heights)[:, None] * np.cross(row, column)
    path = tmp_path / "mine.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(format="resample-ct-sinogram", version=1, image_size=4, pixel_mm=0.7)
        file["sinogram"], file["angles"] = data, ANGLES
        file["sinogram"].attrs["units"] = "pixel"
        file["positions"], file["orientation"] = positions, np.concatenate([row, column])
        file["noise_sigma"] = np.arange(count)
        file["source_headers"] = [f'{{"{place}": {{}}}}' for place in range(count)]
    found, order = read_sinogram(path), np.argsort(heights)
    np.testing.assert_array_equal(found.data, data[order])
    np.testing.assert_array_equal(found.grid.positions, positions[order])
    np.testing.assert_array_equal(found.noise_sigma, order)
    assert found.source_headers == tuple(f'{{"{place}": {{}}}}' for place in order)
    assert (np.diff(found.grid.positions @ found.grid.normal) > 0).all()


@pytest.mark.parametrize("name", ["a.h5", "A.H5", "a.HDF5", "a.Hdf5", "no ending"])
def test_a_sinogram_file_is_known_by_its_ending_in_any_case_or_by_its_content(users_file, tmp_path, name):
    users_file().rename(tmp_path / name)
    assert is_sinogram_file(tmp_path / name)


def test_other_files_and_folders_are_no_sinogram_files(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"DICM" * 100)
    assert not is_sinogram_file(tmp_path / "a.dcm") and not is_sinogram_file(tmp_path)


def test_degrees_are_converted_where_the_file_says_so(users_file):
    def edit(file):
        file["angles"][...] = np.rad2deg(ANGLES)
        file["angles"].attrs["units"] = "degrees"

    np.testing.assert_allclose(read_sinogram(users_file(edit)).geometry.angles, ANGLES)


def test_what_nothing_reads_is_named(users_file):
    def edit(file):
        file.attrs.update(kvp=120.0, axis_labels="angle, detector")
        file["flat"] = [1.0]
        file["sinogram"].attrs["scanner"] = "S"

    assert [note.split(": unknown")[0] for note in read_sinogram(users_file(edit)).notes] == [
        *("attribute axis_labels", "attribute kvp", "dataset flat", "sinogram's attribute scanner"),
    ]
    assert read_sinogram(users_file()).notes == ()


@pytest.mark.parametrize(
    "name",
    [
        *("rot_center", "axis_shift", "cor", "COR", "CenterOffset", "rotationAxis", "u_offset_px"),
        *("source_origin_mm", "DistanceSourceDetector", "SOD", "fan_angle"),
    ],
)
@pytest.mark.parametrize("of", ["/", "sinogram"])
def test_an_attribute_that_may_place_the_rays_is_never_passed_over(users_file, name, of):
    path = users_file(lambda file: file[of].attrs.__setitem__(name, 3.5))
    with pytest.raises(SinogramError, match=f"attribute {name}: found 3.5, expected the rays' place"):
        read_sinogram(path)
    assert len(read_sinogram(users_file(attribute(name, 0.0))).notes) == 1


@pytest.mark.parametrize("kind", ["parallel", "fan-flat", "fan-curved"])
@pytest.mark.parametrize("offset", [0.0, 0.25, -1.5])
def test_every_geometry_comes_back(sinogram, tmp_path, kind, offset):
    geometry = ParallelBeam(4, tuple(ANGLES), 6, 1 / 3, offset)
    if kind != "parallel":
        curved = kind == "fan-curved"
        geometry = FanBeam(
            4,
            tuple(ANGLES),
            6,
            1.7,
            offset,
            source_origin=1e3 / 7,
            source_detector=1e3 / 3,
            curved=curved,
        )
    path = tmp_path / "a.h5"
    write_sinogram(replace(sinogram, geometry=geometry), path)
    found = read_sinogram(path).geometry
    assert type(found) is type(geometry) and found.angles == geometry.angles
    for name in set(vars(geometry)) - {"angles"}:
        # Millimetres are a product by the pixel, which rounds.
        assert getattr(found, name) == pytest.approx(getattr(geometry, name), rel=1e-11, abs=1e-12)
    with h5py.File(path) as file:
        assert file.attrs["geometry"] == kind and file.attrs["version"] == 2
        assert file.attrs["center_of_rotation"] == 2.5 - offset
        assert file["angles"].attrs["units"] == "radians"


@pytest.mark.parametrize(
    "stated",
    [
        {"center_of_rotation": 3.0},
        {"detector_offset": 0.5},
        {"center_of_rotation": 3.0, "detector_offset": 0.501},
    ],
)
def test_an_axis_beside_the_detectors_middle_is_taken_from_the_file(users_file, stated):
    found = read_sinogram(users_file(lambda file: file.attrs.update(stated)))
    assert found.geometry.detector_offset == pytest.approx(-0.5) and found.notes == ()
    # Detector pixel 3 is where the axis is.
    assert found.geometry.detector_places[3] == pytest.approx(0)


def version_2(**attributes):
    def edit(file):
        file.attrs.update(version=2, geometry="fan-flat", detector_pixel_mm=0.7)
        file.attrs.update(source_origin_mm=70.0, source_detector_mm=140.0)
        file["angles"].attrs["units"] = "radians"
        file.attrs.update({name: value for name, value in attributes.items() if value is not None})
        for name in (name for name, value in attributes.items() if value is None):
            del file.attrs[name]

    return edit


def test_millimetres_become_pixels(users_file):
    found = read_sinogram(users_file(version_2(detector_pixel_mm=1.4))).geometry
    assert isinstance(found, FanBeam) and not found.curved
    assert (found.detector_spacing, found.source_origin, found.source_detector) == (2, 100, 200)


def attribute(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


def dataset(name, value):
    def edit(file):
        if name in file:
            del file[name]
        file[name] = value

    return edit


def both(*edits):
    return lambda file: [edit(file) for edit in edits]


def units(value):
    return lambda file: file["sinogram"].attrs.__setitem__("units", value)


NAN = np.where(np.arange(36).reshape(2, 3, 6) == 8, np.nan, DATA)


@pytest.mark.parametrize(
    "edit, message",
    [
        (
            lambda file: file.attrs.__delitem__("format"),
            "format and version: found None, 1, expected",
        ),
        (attribute("format", "other"), "format and version: found other, 1, expected"),
        (
            attribute("version", 3),
            "found resample-ct-sinogram, 3, expected resample-ct-sinogram, 1 or 2",
        ),
        (attribute("version", [1, 1]), "found resample-ct-sinogram, 1, 1, expected"),
        (version_2(geometry="cone"), "geometry: found cone, expected one of parallel, fan-flat, fan"),
        (version_2(geometry=None), "geometry: found None, expected one of"),
        (version_2(source_origin_mm=None), "attribute source_origin_mm: missing"),
        (version_2(detector_pixel_mm=None), "attribute detector_pixel_mm: missing"),
        (version_2(source_detector_mm=-1.0), "source_detector_mm: found -1.0, expected a positive"),
        (version_2(source_origin_mm=1.0), "found the source 1.42857 pixels from the axis"),
        (
            both(version_2(), lambda file: file["angles"].attrs.clear()),
            "angles' attribute units: missing, expected radians or degrees",
        ),
        (
            both(attribute("center_of_rotation", 3.0), attribute("detector_offset", -0.5)),
            "center_of_rotation and detector_offset: found the rotation axis at detector pixels 3 and 2,",
        ),
        (attribute("center_of_rotation", 60.0), "at detector pixel 60, expected one on the detector"),
        (attribute("center_of_rotation", "middle"), "found middle, expected a finite number"),
        (lambda file: file.__delitem__("sinogram"), "dataset sinogram: missing"),
        (lambda file: file.__delitem__("angles"), "dataset angles: missing"),
        (lambda file: file.attrs.__delitem__("image_size"), "attribute image_size: missing"),
        (lambda file: file.attrs.__delitem__("pixel_mm"), "attribute pixel_mm: missing"),
        (
            lambda file: file["sinogram"].attrs.__delitem__("units"),
            "units: found None, expected one of",
        ),
        (units("counts"), "units: found counts, expected one of"),
        (attribute("image_size", 0), "image_size: found 0, expected a positive number"),
        (attribute("image_size", -4), "image_size: found -4, expected a positive number"),
        (attribute("image_size", 4.5), "image_size: found 4.5, expected a whole number"),
        (attribute("image_size", 10**9), r"image_size: found 1e\+09, expected .* up to 4096"),
        (attribute("image_size", "big"), "image_size: found big, expected a positive number"),
        (attribute("image_size", [4, 4]), "image_size: found .4 4., expected a positive number"),
        (attribute("pixel_mm", np.nan), "pixel_mm: found nan"),
        (attribute("pixel_mm", -0.7), "pixel_mm: found -0.7"),
        (attribute("detector_spacing", 0), "detector_spacing: found 0"),
        (attribute("thickness_mm", np.inf), "thickness_mm: found inf"),
        (attribute("window_hu", [2000.0, -1000.0]), "window_hu: found .* expected two ascending"),
        (attribute("window_hu", [0.0, 1.0, 2.0]), "window_hu: found .* expected two ascending"),
        (attribute("window_hu", "wide"), "window_hu: found wide, expected two ascending"),
        (
            dataset("sinogram", DATA[0]),
            r"sinogram: found shape \(3, 6\), expected \(slice, angle, detector\)",
        ),
        (dataset("sinogram", DATA[:0]), r"sinogram: found shape \(0, 3, 6\)"),
        (dataset("sinogram", NAN), r"sinogram: found a non-finite value at \[0, 1, 2\]"),
        (dataset("sinogram", "text"), "sinogram: found .* expected an array of numbers"),
        (
            lambda file: file.pop("sinogram") and file.create_dataset("sinogram/inner", data=DATA),
            "sinogram: found .* expected an array",
        ),
        (dataset("angles", ANGLES[:2]), r"angles: found shape \(2,\), expected \(3,\)"),
        (dataset("angles", [0.0, 7.2, 14.4]), "angles: found 0 to 14.4, expected radians"),
        (
            dataset("positions", [[1.0, 2, 3], [1, 9, 3]]),
            "positions: found slices 0 and 1 both at 3 mm along their normal",
        ),
        (dataset("noise_sigma", [0.1, np.nan]), r"noise_sigma: found a non-finite value at .1."),
        (dataset("angles", ANGLES + np.inf), "angles: found a non-finite value"),
        (dataset("noise_sigma", [0.1]), r"noise_sigma: found shape \(1,\), expected \(2,\)"),
        (dataset("noise_sigma", [0.1, -0.1]), "noise_sigma: found -0.1, expected none below 0"),
        (
            dataset("positions", np.zeros((3, 3))),
            r"positions: found shape \(3, 3\), expected \(2, 3\)",
        ),
        (dataset("orientation", np.zeros(5)), r"orientation: found shape \(5,\), expected \(6,\)"),
        (dataset("orientation", np.ones(6)), "orientation: found .* expected two unit vectors"),
        (dataset("source_headers", ["{}"]), r"source_headers: found shape \(1,\), expected \(2,\)"),
        (dataset("source_headers", [1, 2]), "source_headers: found .* expected strings"),
        (
            both(attribute("window_hu", [-500.0, 500.0]), units("attenuation")),
            "expected one from -1000",
        ),
    ],
)
def test_what_is_wrong_is_named(users_file, edit, message):
    path = users_file(edit)
    with pytest.raises(SinogramError, match=message) as error:
        read_sinogram(path)
    assert str(error.value).startswith(f"{path}: ")


def test_what_is_no_hdf5_is_refused(tmp_path):
    (tmp_path / "a.h5").write_text("sinogram")
    with pytest.raises(SinogramError, match="cannot be read"):
        read_sinogram(tmp_path / "a.h5")


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(SinogramError, match="cannot be read"):
        read_sinogram(tmp_path / "a.h5")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_file_is_refused(users_file, share):
    path = users_file()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(SinogramError, match="cannot be read"):
        read_sinogram(path)


def test_damaged_file_is_refused(users_file):
    path = users_file()
    path.write_bytes(path.read_bytes().replace(b"HEAP", b"HEAT"))
    with pytest.raises(SinogramError, match="cannot be read"):
        read_sinogram(path)


def test_existing_file_is_left_alone(sinogram, tmp_path):
    path = tmp_path / "a.h5"
    path.write_text("precious")
    with pytest.raises(SinogramError, match="exists, expected a new file"):
        write_sinogram(sinogram, path)
    assert path.read_text() == "precious"


def test_failed_write_leaves_nothing(sinogram, tmp_path):
    with pytest.raises(TypeError):
        write_sinogram(replace(sinogram, source=object()), tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())
