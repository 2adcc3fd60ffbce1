"""CT slices made up on disk, for tests of what reads whole collections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SIDE = 64


def body(side: int = SIDE, value: float = 40.0) -> np.ndarray:
    """A disc of `value` HU in a ring of fat, in air; (side, side)."""
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    radius = np.hypot(rows, columns) / side
    return np.select([radius < 0.3, radius < 0.35], [value, -110.0], -1000.0)


def write_slice(path: Path, hu: np.ndarray, place: int = 0, **attributes: object) -> Dataset:
    """One CT slice, 3 mm above the last, with these attributes; None leaves one out."""
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.PatientID = "A"
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[str(path.parent)])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    dataset.InstanceNumber = place + 1
    dataset.ImagePositionPatient = [-32.0, -32.0, 3.0 * place]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [4.0, 4.0]
    dataset.SliceThickness = 3
    dataset.ConvolutionKernel = "B30f"
    dataset.Rows, dataset.Columns = hu.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.RescaleIntercept, dataset.RescaleSlope = -1024, 1
    dataset.PixelData = (np.rint(hu) + 1024).astype("<u2").tobytes()
    for keyword, value in attributes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return dataset
