"""The header of a derived CT slice: what it takes over, what is new, and what it says of itself."""

from __future__ import annotations

import copy
import datetime
import re
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, generate_uid

from resample_ct.io.datasets import dicom_code
from resample_ct.io.dicom_checks import ENHANCED_CT, whole_number

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
    "HistogramSequence",
    "ContentQualification",
    "InstanceCreatorUID",
    "SOPInstanceStatus",
    "SpectroscopyData",
    "NumberOfFrames",
    "PlanarConfiguration",
    # Of enhanced images alone, whose writer sets them anew.
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "PixelPresentation",
    "VolumetricProperties",
    "VolumeBasedCalculationTechnique",
)
_SCANNER = (
    "Manufacturer",
    "InstitutionName",
    "StationName",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "DeviceUID",
    "UDISequence",
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


# IS holds 31 bits; some archives' numbers come near, and leave no room to count on.
_LARGEST_NUMBER = 2_000_000_000
TO_REFER_TO = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True)
class Derivation:
    """What was done to make a series.

    Attributes:
        method: as a reader should see it, for example "ReSample".
        views: number of views that it was reconstructed from.
        description: method, views, noise, prior with hash, seed; at most 1024 characters.
        software_version: of this package.
        place: of the series among all that are derived from one source, from 0; it decides SeriesNumber,
            so that a viewer that shows it tells series apart.
    """

    method: str
    views: int
    description: str
    software_version: str
    place: int = 0


@dataclass(frozen=True)
class SeriesIdentity:
    """What all instances of the new series share."""

    series_uid: str
    study_uid: str
    frame_of_reference_uid: str
    series_number: int
    now: datetime.datetime

    @classmethod
    def new(cls, source: Dataset | None, place: int) -> SeriesIdentity:
        """A new series in the source's study and frame of reference, or in new ones without a source.

        Every place has a thousand of its own above the source's SeriesNumber, so that series derived
        from neighbours of the source, which are numbered on by 1, differ too.
        """
        source = source or Dataset()
        number = whole_number(source, "SeriesNumber") or 0
        return cls(
            series_uid=str(generate_uid()),
            study_uid=str(source.get("StudyInstanceUID") or generate_uid()),
            frame_of_reference_uid=str(source.get("FrameOfReferenceUID") or generate_uid()),
            series_number=(number if abs(number) < _LARGEST_NUMBER else 0) + 1000 * (place + 1),
            now=datetime.datetime.now(_zone(source)),
        )


def _zone(source: Dataset) -> datetime.tzinfo | None:
    """The zone that all of the source's times are in, None for the local one."""
    try:
        return datetime.datetime.strptime(source.get("TimezoneOffsetFromUTC", ""), "%z").tzinfo
    except (TypeError, ValueError):
        return None


def _equipment(header: Dataset, derivation: Derivation) -> Sequence:
    """The scanner, and this software; earlier contributors stay first.

    Where a scanner is among these, the source was derived itself and is not called a scanner.
    """
    items = list(header.get("ContributingEquipmentSequence") or [])
    purposes = [c for i in items for c in i.get("PurposeOfReferenceCodeSequence") or []]
    derived = any(purpose.get("CodeValue") == "109101" for purpose in purposes)
    if header.get("Manufacturer") and not derived:
        scanner = Dataset()
        for keyword in _SCANNER:
            if keyword in header:
                scanner[keyword] = copy.deepcopy(header[keyword])
        scanner.PurposeOfReferenceCodeSequence = [dicom_code("109101", "Acquisition Equipment")]
        items.append(scanner)
    software = Dataset()
    software.Manufacturer = MANUFACTURER
    software.ManufacturerModelName = MODEL
    software.SoftwareVersions = derivation.software_version
    software.ContributionDescription = f"{derivation.method} reconstruction"
    software.PurposeOfReferenceCodeSequence = [dicom_code("109102", "Processing Equipment")]
    return Sequence([*items, software])


def _references(header: Dataset) -> tuple[Sequence, Sequence]:
    """SourceImageSequence and ReferencedSeriesSequence for the instance at this position."""
    image = Dataset()
    image.ReferencedSOPClassUID = header.SOPClassUID
    image.ReferencedSOPInstanceUID = header.SOPInstanceUID
    if header.SOPClassUID in ENHANCED_CT:
        image.ReferencedFrameNumber = header.InstanceNumber
    series = Dataset()
    series.SeriesInstanceUID = header.SeriesInstanceUID
    series.ReferencedInstanceSequence = [copy.deepcopy(image)]
    image.PurposeOfReferenceCodeSequence = [
        dicom_code("121322", "Source image for image processing operation")
    ]
    return Sequence([image]), Sequence([series])


def _taken_over(source: Dataset) -> Dataset:
    # A new dataset, because pydicom ties the one that was read to its byte order.
    header = Dataset()
    for element in source:
        group = element.tag.group
        # Group lengths, curves, overlays, pixels and signatures stay behind; so does the file meta
        # group, which is among these where a damaged preamble hides that it is one.
        stays = element.tag.element == 0 or group & 0xFF00 in (0x5000, 0x6000)
        if not stays and group not in (0x0000, 0x0002, 0x7FE0, 0xFFFA):
            header[element.tag] = copy.deepcopy(element)
    header.remove_private_tags()
    for keyword in _NOT_TAKEN_OVER:
        if keyword in header:
            delattr(header, keyword)
    return header


def _text(header: Dataset, keyword: str) -> str:
    """A text, also where it holds a backslash, which makes it several for DICOM."""
    value = header.get(keyword) or ""
    return " ".join(value) if isinstance(value, MultiValue) else str(value)


def _code_string(text: str) -> str:
    """Upper case, digits, space and underscore, at most 16: what a CS may hold."""
    return re.sub("[^A-Z0-9 _]", "_", text.upper())[:16]


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
    if source is None:
        header = Dataset()
        header.SpecificCharacterSet = "ISO_IR 192"
    else:
        header = _taken_over(source)
    label = f"{derivation.method} {derivation.views} views"
    # Put in whole at the end: an attribute of the source in a wrong VR would take no text.
    new = Dataset()
    described = _text(header, "SeriesDescription")
    comments = _text(header, "ImageComments").removeprefix(RESEARCH_ONLY)
    for keyword in _MAY_BE_EMPTY:
        if keyword not in header:
            setattr(header, keyword, None if keyword in ("KVP", "SliceThickness") else "")
    if not header.get("BodyPartExamined") and "Laterality" not in header:
        # Type 2C of what may show one of a pair (PS3.3 C.7.3.1).
        header.Laterality = ""
    if source is not None and all(source.get(keyword) for keyword in TO_REFER_TO):
        new.SourceImageSequence, new.ReferencedSeriesSequence = _references(source)
    new.ContributingEquipmentSequence = _equipment(header, derivation)
    for keyword in _SCANNER:
        if keyword != "InstitutionName" and keyword in header:
            delattr(header, keyword)
    new.Manufacturer, new.ManufacturerModelName = MANUFACTURER, MODEL
    new.SoftwareVersions = derivation.software_version
    new.SOPClassUID = CTImageStorage
    new.SOPInstanceUID = generate_uid()
    new.StudyInstanceUID = identity.study_uid
    new.SeriesInstanceUID = identity.series_uid
    new.FrameOfReferenceUID = identity.frame_of_reference_uid
    new.Modality = "CT"
    new.SeriesNumber = identity.series_number
    new.InstanceNumber = number
    # Viewers cut a long name off at its end, and LO at 64 characters: the source's own text gives way.
    new.SeriesDescription = f"{label} (research) {described}"[:64].strip()
    # AXIAL means any cross-section, in whatever direction (PS3.3 C.8.2.1.1.1).
    new.ImageType = ["DERIVED", "PRIMARY", "AXIAL", _code_string(derivation.method)]
    new.ImageComments = f"{RESEARCH_ONLY} {comments.strip()}".strip()[:1024]
    # In ASCII, which is part of every character set that the source may have.
    ascii_only = derivation.description.encode("ascii", "replace").decode()
    new.DerivationDescription = ascii_only[:1024]
    new.ConvolutionKernel = derivation.method.upper()[:16]
    # A reconstruction shows what was burned into the slices that were projected.
    if header.get("BurnedInAnnotation") != "YES":
        new.BurnedInAnnotation = "NO"
    date, time = identity.now.strftime("%Y%m%d"), identity.now.strftime("%H%M%S.%f")
    for moment in ("Series", "Content", "InstanceCreation"):
        setattr(new, f"{moment}Date", date)
        setattr(new, f"{moment}Time", time)
    header.update(new)
    return header
