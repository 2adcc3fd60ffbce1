"""Series in every transfer syntax, and other readers to compare with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom import uid
from pydicom.dataset import Dataset

from resample_ct.errors import StudyError
from resample_ct.io.derivation import Derivation
from resample_ct.io.dicom_write import write_series
from resample_ct.io.read import read_study
from resample_ct.io.study import Study

SYNTAXES = {
    "explicit": uid.ExplicitVRLittleEndian,
    "implicit": uid.ImplicitVRLittleEndian,
    "big endian": uid.ExplicitVRBigEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
    "rle": uid.RLELossless,
    "jpeg lossless": uid.JPEGLosslessSV1,
    "jpeg-ls": uid.JPEGLSLossless,
    "jpeg 2000": uid.JPEG2000Lossless,
}


def _save_big_endian(dataset: Dataset, path: Path) -> None:
    plain = Dataset()
    plain.update({element.tag: element for element in dataset if not element.tag.is_private})
    plain.PixelData = np.frombuffer(dataset.PixelData, "<u2").byteswap().tobytes()
    plain.file_meta = dataset.file_meta
    plain.save_as(path, enforce_file_format=True)


def _jpeg_lossless(dataset: Dataset, path: Path) -> None:
    """GDCM is the one encoder of JPEG lossless at hand; pylibjpeg only decodes it."""
    stored = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(path))
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.Execute(sitk.GetImageFromArray(stored))
    coded = pydicom.dcmread(path)
    assert coded.file_meta.TransferSyntaxUID == uid.JPEGLosslessSV1
    for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        dataset[keyword] = coded[keyword]


def _save_as(dataset: Dataset, path: Path, syntax: uid.UID) -> None:
    if syntax in (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless):
        dataset.compress(syntax)
    elif syntax == uid.JPEGLosslessSV1:
        _jpeg_lossless(dataset, path)
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == uid.ExplicitVRBigEndian:
        _save_big_endian(dataset, path)
    else:
        dataset.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=True)


@pytest.fixture(scope="session", params=SYNTAXES.values(), ids=SYNTAXES.keys())
def coded_series(
    request: pytest.FixtureRequest, sample_series: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Two real slices in one of the transfer syntaxes."""
    folder = tmp_path_factory.mktemp("coded")
    for path in sorted(sample_series.glob("*.dcm"))[:2]:
        _save_as(pydicom.dcmread(path), folder / path.name, request.param)
    assert pydicom.dcmread(folder / path.name).file_meta.TransferSyntaxUID == request.param
    return folder


@pytest.fixture
def refusal() -> Callable[..., str]:
    """The message of the StudyError that reading a source ends in."""

    def read(source: Path, series: str | None = None) -> str:
        with pytest.raises(StudyError) as caught:
            read_study(source, series)
        return str(caught.value)

    return read


@pytest.fixture
def derivation() -> Derivation:
    """What a run says that it did."""
    return Derivation("ReSample", 25, "ReSample from 25 views; prior p, sha256 0; seed 0", "0.1.0")


@pytest.fixture
def rewrite(tmp_path: Path, derivation: Derivation) -> Callable[..., Path]:
    """Writes a study's own HU as a derived series and returns its folder."""

    def write(study: Study, name: str = "derived") -> Path:
        folder = tmp_path / name
        write_series(study, study.volume.hu, study.grid, folder, derivation)
        return folder

    return write


@pytest.fixture
def derived(
    series: Callable[..., Path], rewrite: Callable[..., Path]
) -> Callable[..., pydicom.FileDataset]:
    """The slice derived from a real one that `edit` has changed."""

    def make(edit: Callable[[Dataset, int], None] = lambda dataset, index: None) -> Dataset:
        return pydicom.dcmread(rewrite(read_study(series(1, edit))) / "0001.dcm")

    return make


@pytest.fixture
def sitk_series() -> Callable[[Path], sitk.Image]:
    """SimpleITK's reading of a folder, the judge of HU and geometry."""

    def read(folder: Path) -> sitk.Image:
        return sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))

    return read


@pytest.fixture
def nifti(tmp_path: Path) -> Callable[..., Path]:
    """Writes an array, (i, j, k) as NIfTI has it, with a RAS affine."""

    def write(array: np.ndarray, affine: np.ndarray | None = None, name: str = "ct.nii.gz") -> Path:
        path = tmp_path / name
        nib.save(nib.Nifti1Image(array, np.diag([-1, -1, 2, 1.0]) if affine is None else affine), path)
        return path

    return write
