"""What is not read says which file and tag, what was found, and what to do."""

import zipfile

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.uid import EnhancedCTImageStorage, RLELossless, SecondaryCaptureImageStorage


def put(**values):
    """Changes the third slice of a series."""

    def edit(dataset, index):
        if index == 2:
            for keyword, value in values.items():
                setattr(dataset, keyword, value)

    return edit


def drop(keyword):
    def edit(dataset, index):
        if index == 2:
            delattr(dataset, keyword)

    return edit


TURNED = [0.995, 0.0998749, 0, -0.0998749, 0.995, 0]

REFUSED = {
    "mixed Rows": (put(Rows=256), ("Rows (0028,0010)", "256", "512", "separate the two stacks")),
    "mixed Columns": (put(Columns=256), ("Columns (0028,0011)", "256", "512", "separate")),
    "mixed spacing": (put(PixelSpacing=[0.7, 0.7]), ("PixelSpacing (0028,0030)", "0.7", "separate")),
    "mixed orientation": (
        put(ImageOrientationPatient=TURNED),
        ("ImageOrientationPatient (0020,0037)", "0.995", "separate"),
    ),
    "skewed orientation": (
        put(ImageOrientationPatient=[1, 0, 0, 0.5, 1, 0]),
        ("ImageOrientationPatient (0020,0037)", "two unit vectors at right angles", "export"),
    ),
    "two patients": (put(PatientID="other"), ("PatientID (0010,0020)", "other", "separate")),
    "two frames of reference": (
        put(FrameOfReferenceUID="1.2.3"),
        ("FrameOfReferenceUID (0020,0052)", "1.2.3", "separate"),
    ),
    "colour": (
        put(SamplesPerPixel=3, PhotometricInterpretation="RGB"),
        ("SamplesPerPixel (0028,0002)", "3", "MONOCHROME2", "leave colour"),
    ),
    "inverted": (
        put(PhotometricInterpretation="MONOCHROME1"),
        ("PhotometricInterpretation (0028,0004)", "MONOCHROME1", "MONOCHROME2", "leave"),
    ),
    "multi-frame": (
        put(NumberOfFrames=3),
        ("NumberOfFrames (0028,0008)", "3", "single-frame", "convert"),
    ),
    "enhanced without its frames": (
        put(SOPClassUID=EnhancedCTImageStorage),
        ("PerFrameFunctionalGroupsSequence (5200,9230)", "0 items", "export"),
    ),
    "no slope": (drop("RescaleSlope"), ("RescaleSlope (0028,1053)", "nothing", "export")),
    "zero slope": (put(RescaleSlope=0), ("RescaleSlope (0028,1053)", "0", "other than 0", "export")),
    "no intercept": (drop("RescaleIntercept"), ("RescaleIntercept (0028,1052)", "nothing", "export")),
    "no position": (
        drop("ImagePositionPatient"),
        ("ImagePositionPatient (0020,0032)", "nothing", "3 finite numbers", "export"),
    ),
    "no spacing": (drop("PixelSpacing"), ("PixelSpacing (0028,0030)", "nothing", "export")),
    "zero spacing": (put(PixelSpacing=[0, 0]), ("PixelSpacing (0028,0030)", "0", "positive", "export")),
    "no Columns": (drop("Columns"), ("Columns (0028,0011)", "nothing", "export")),
    "density": (put(RescaleType="MGML"), ("RescaleType (0028,1054)", "MGML", "HU", "choose")),
    "atomic number": (put(RescaleType="Z_EFF"), ("RescaleType (0028,1054)", "Z_EFF", "HU", "choose")),
}


@pytest.mark.parametrize(("edit", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_slice_that_does_not_fit_is_refused(series, refusal, edit, words):
    message = refusal(series(4, edit))
    for word in ("02.dcm", *words):
        assert word in message


def test_an_empty_folder_says_what_was_expected(tmp_path, refusal):
    message = refusal(tmp_path)
    assert str(tmp_path) in message
    assert "expected a DICOM CT series" in message


def test_a_folder_without_ct_names_what_it_holds(series, refusal):
    def capture(dataset, index):
        dataset.SOPClassUID = SecondaryCaptureImageStorage

    assert "2 x Secondary Capture Image Storage" in refusal(series(2, capture))


def test_a_path_that_is_not_there_is_named(tmp_path, refusal):
    assert f"{tmp_path / 'none'}: not found" in refusal(tmp_path / "none")


@pytest.mark.parametrize("removed", [1, 2])
@pytest.mark.parametrize("count", [4, 6])
def test_a_missing_slice_is_named_by_its_neighbours(series, refusal, removed, count):
    folder = series(count)
    (folder / f"{removed:02d}.dcm").unlink()
    message = refusal(folder)
    for word in (f"{removed - 1:02d}.dcm", f"{removed + 1:02d}.dcm", "gap of 16 mm", "1 missing"):
        assert word in message
    assert "ImagePositionPatient (0020,0032)" in message


@pytest.mark.parametrize("copies", [[2], [1, 2, 3]], ids=["one", "most"])
def test_slices_at_one_place_are_named(series, refusal, copies):
    def edit(dataset, index):
        if index in copies:
            dataset.ImagePositionPatient = [-173, -294, 0]
        elif len(copies) == 1:
            dataset.ImagePositionPatient = [-173, -294, 8 * (1 - index)]

    message = refusal(series(4, edit))
    assert "02.dcm" in message
    assert "ImagePositionPatient (0020,0032)" in message
    assert "remove one" in message


# The header of the sample ends at 3008 bytes.
@pytest.mark.parametrize("length", [0, 100, 132, 150, 400, 900, 1500, 2500, 3000, 3008, 9000, -1])
def test_a_truncated_file_is_named_wherever_it_ends(series, refusal, length):
    folder = series(3)
    last = folder / "02.dcm"
    last.write_bytes(last.read_bytes()[:length])
    message = refusal(folder)
    assert "02.dcm" in message
    assert "copy" in message


@pytest.mark.parametrize("missing", [8, 100, 50_000])
def test_a_truncated_compressed_file_is_named(series, refusal, missing):
    folder = series(2)
    coded = pydicom.dcmread(folder / "01.dcm")
    coded.compress(RLELossless)
    coded.save_as(folder / "01.dcm")
    (folder / "01.dcm").write_bytes((folder / "01.dcm").read_bytes()[:-missing])
    message = refusal(folder)
    assert "01.dcm: PixelData (7FE0,0010)" in message
    assert "copy" in message


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_zip_is_named(series, refusal, tmp_path, damage):
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in series(2).iterdir():
            archive.write(file, file.name)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        del content[-500:]
    else:
        content[5000:5200] = bytes(200)
    path.write_bytes(content)
    message = refusal(path)
    assert str(path) in message
    assert "copy it again" in message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_volume_with_a_non_finite_voxel_says_where(nifti, refusal, value):
    hu = np.full((4, 5, 6), -1000.0, np.float32)
    hu[1, 2, 3] = value
    message = refusal(nifti(hu))
    assert "ct.nii.gz" in message
    assert "[-1.0, -2.0, 6.0] mm" in message
    assert "repair" in message


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.95])
def test_a_truncated_volume_is_named(nifti, refusal, rng, name, share):
    path = nifti(rng.integers(-1000, 1000, (9, 9, 9)).astype(np.int16), name=name)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    message = refusal(path)
    assert name in message
    assert "copy it again" in message


RGB = np.zeros((3, 4, 5), [("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    "array",
    [np.zeros((3, 4, 5, 2), np.int16), np.zeros((3, 4), np.int16), RGB, np.zeros((3, 4, 5), "c8")],
    ids=["4-D", "2-D", "RGB", "complex"],
)
def test_what_is_no_single_volume_of_numbers_is_refused(nifti, refusal, array):
    message = refusal(nifti(array))
    assert "ct.nii.gz: dim: found" in message
    assert "extract one volume" in message


AFFINES = {
    "flat": (np.diag([1, 1, 0, 1.0]), "independent voxel axes"),
    "parallel": (np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "independent"),
    "skewed": (np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "resample"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("affine", "word"), AFFINES.values(), ids=AFFINES.keys())
def test_an_affine_without_rectangular_pixels_is_refused(tmp_path, refusal, affine, word):
    image = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), None)
    image.header.set_sform(affine, code=1)
    nib.save(image, tmp_path / "ct.nii")
    message = refusal(tmp_path / "ct.nii")
    assert "ct.nii: affine: found" in message
    assert word in message


def test_a_volume_in_other_units_is_refused(nifti, refusal):
    path = nifti(np.zeros((3, 4, 5), np.int16))
    image = nib.load(path)
    image.header.set_xyzt_units("micron")
    nib.save(image, path.with_name("small.nii"))
    assert "xyzt_units: found micron, expected mm" in refusal(path.with_name("small.nii"))
