"""The header of a derived CT slice: what it takes over, what is new, and what it says of itself."""

from __future__ import annotations

import copy
import datetime
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

RESEARCH_ONLY = "Derived image, for research only, not for diagnosis."

MANUFACTURER = "ReSample-CT"
MODEL = "resample-ct"

# Statements about the source's own pixels or files, which the derived pixels would turn into lies.
_NOT_TAKEN_OVER = (
    "IconImageSequence",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "PixelPaddingRangeLimit",
    "PixelAspectRatio",
    "ModalityLUTSequence",
    "VOILUTSequence",
    "RealWorldValueMappingSequence",
    "PresentationIntentType",
    "PresentationLUTShape",
    "SourceImageSequence",
    "DerivationCodeSequence",
    "ReferencedSeriesSequence",
    "DigitalSignaturesSequence",
    "MACParametersSequence",
    "EncryptedAttributesSequence",
    "ReconstructionAlgorithm",
    "ReconstructionPixelSpacing",
    "ReconstructionFieldOfView",
    "ConversionType",
    "ImagePresentationComments",
    "SpectroscopyData",
    "NumberOfFrames",
    "PlanarConfiguration",
)
_SCANNER = (
    "Manufacturer",
    "InstitutionName",
    "StationName",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
    "DateOfLastCalibration",
    "TimeOfLastCalibration",
)
# Type 2 of the CT Image IOD's modules: they must be there, and may be empty.
_MAY_BE_EMPTY = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "PositionReferenceIndicator",
    "PatientPosition",
    "SliceThickness",
    "KVP",
    "AcquisitionNumber",
)


@dataclass(frozen=True)
class Derivation:
    """What was done to make a series.

    Attributes:
        method: as a reader should see it, for example "ReSample".
        views: number of views that it was reconstructed from.
        description: method, views, noise, prior with hash, seed; at most 1024 characters.
        software_version: of this package.
    """

    method: str
    views: int
    description: str
    software_version: str


@dataclass(frozen=True)
class SeriesIdentity:
    """What all instances of the new series share."""

    series_uid: str
    study_uid: str
    frame_of_reference_uid: str
    series_number: int
    now: datetime.datetime

    @classmethod
    def new(cls, source: Dataset | None) -> SeriesIdentity:
        """A new series in the source's study and frame of reference, or in new ones without a source."""
        source = source or Dataset()
        return cls(
            series_uid=str(generate_uid()),
            study_uid=str(source.get("StudyInstanceUID") or generate_uid()),
            frame_of_reference_uid=str(source.get("FrameOfReferenceUID") or generate_uid()),
            series_number=int(source.get("SeriesNumber") or 0) + 1000,
            now=datetime.datetime.now(),
        )


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code


def _equipment(header: Dataset, derivation: Derivation) -> Sequence:
    """The scanner, and this software; earlier contributors stay first."""
    items = list(header.get("ContributingEquipmentSequence") or [])
    if header.get("Manufacturer"):
        scanner = Dataset()
        for keyword in _SCANNER:
            if keyword in header:
                scanner[keyword] = copy.deepcopy(header[keyword])
        scanner.PurposeOfReferenceCodeSequence = [_code("109101", "Acquisition Equipment")]
        items.append(scanner)
    software = Dataset()
    software.Manufacturer = MANUFACTURER
    software.ManufacturerModelName = MODEL
    software.SoftwareVersions = derivation.software_version
    software.ContributionDescription = f"{derivation.method} reconstruction"
    software.PurposeOfReferenceCodeSequence = [_code("109102", "Processing Equipment")]
    return Sequence([*items, software])


def _references(header: Dataset) -> tuple[Sequence, Sequence]:
    """SourceImageSequence and ReferencedSeriesSequence for the instance at this position."""
    image = Dataset()
    image.ReferencedSOPClassUID = header.SOPClassUID
    image.ReferencedSOPInstanceUID = header.SOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID = header.SeriesInstanceUID
    series.ReferencedInstanceSequence = [copy.deepcopy(image)]
    image.PurposeOfReferenceCodeSequence = [
        _code("121322", "Source image for image processing operation")
    ]
    return Sequence([image]), Sequence([series])


def _taken_over(source: Dataset) -> Dataset:
    header = copy.deepcopy(source)
    header.remove_private_tags()
    for element in list(header):
        group = element.tag.group
        # Group lengths, curves, overlays and pixels.
        if element.tag.element == 0 or group in (0x7FE0, 0xFFFA) or group & 0xFF00 in (0x5000, 0x6000):
            del header[element.tag]
    for keyword in _NOT_TAKEN_OVER:
        if keyword in header:
            delattr(header, keyword)
    return header


def derived_header(
    source: Dataset | None, identity: SeriesIdentity, derivation: Derivation, number: int
) -> Dataset:
    """The derived slice's header, without pixels and geometry.

    Args:
        source: the source instance at the same position, None when it was no DICOM.
        identity: of the new series.
        derivation: what was done.
        number: InstanceNumber.
    """
    header = Dataset() if source is None else _taken_over(source)
    label = f"{derivation.method} {derivation.views} views"
    described = str(header.get("SeriesDescription") or "")
    comments = str(header.get("ImageComments") or "")
    for keyword in _MAY_BE_EMPTY:
        if keyword not in header:
            setattr(header, keyword, None if keyword in ("KVP", "SliceThickness") else "")
    if source is not None and source.get("SOPInstanceUID") and source.get("SeriesInstanceUID"):
        header.SourceImageSequence, header.ReferencedSeriesSequence = _references(source)
    header.ContributingEquipmentSequence = _equipment(header, derivation)
    for keyword in _SCANNER:
        if keyword != "InstitutionName" and keyword in header:
            delattr(header, keyword)
    header.Manufacturer, header.ManufacturerModelName = MANUFACTURER, MODEL
    header.SoftwareVersions = derivation.software_version
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    header.SOPInstanceUID = generate_uid()
    header.StudyInstanceUID = identity.study_uid
    header.SeriesInstanceUID = identity.series_uid
    header.FrameOfReferenceUID = identity.frame_of_reference_uid
    header.Modality = "CT"
    header.SeriesNumber = identity.series_number
    header.InstanceNumber = number
    # LO holds 64 characters: the source's own text gives way, never the word "research".
    room = 64 - len(label) - len(" (research)") - 1
    header.SeriesDescription = f"{described[:room]} {label} (research)".strip()
    header.ImageType = ["DERIVED", "PRIMARY", "AXIAL", derivation.method.upper()]
    header.ImageComments = f"{RESEARCH_ONLY} {comments}".strip()[:1024]
    header.DerivationDescription = derivation.description[:1024]
    header.ConvolutionKernel = derivation.method.upper()[:16]
    header.BurnedInAnnotation = "NO"
    date, time = identity.now.strftime("%Y%m%d"), identity.now.strftime("%H%M%S.%f")
    for moment in ("Series", "Content", "InstanceCreation"):
        setattr(header, f"{moment}Date", date)
        setattr(header, f"{moment}Time", time)
    return header
