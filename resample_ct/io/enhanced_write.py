"""Derived slices of an Enhanced CT as one Enhanced CT object (PS3.3 A.38), as the source was one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.config import disable_value_validation
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage, generate_uid

from resample_ct.io.datasets import dicom_code, item
from resample_ct.io.derivation import Derivation, SeriesIdentity, derived_header
from resample_ct.io.dicom_pixels import set_geometry, set_pixels
from resample_ct.io.study import Study
from resample_ct.values.volume import Grid

# What moves from a single slice's header into functional groups of the frame.
_GROUPS = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleIntercept", "RescaleSlope", "RescaleType"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation"),
}
# What single-frame headers alone have, or what another group of the frame says.
_NOT_AT_TOP = (
    "SourceImageSequence",
    "DerivationDescription",
    "ReferencedSeriesSequence",
    "ReferencedImageSequence",
    "AcquisitionDate",
    "AcquisitionTime",
    "ConvolutionKernel",
    "ReconstructionDiameter",
    "AcquisitionNumber",
    "Laterality",
    "VOILUTFunction",
    "KVP",
    "FilterType",
    "FilterMaterial",
    "FilterThicknessMinimum",
    "FilterThicknessMaximum",
    "FocalSpots",
    "CalciumScoringMassFactorPatient",
    "CalciumScoringMassFactorDevice",
    "EnergyWeightingFactor",
    "ConvolutionKernelGroup",
    "ImageFilter",
    "ReconstructionTargetCenterPatient",
    "ReconstructionAngle",
    "ReconstructionAlgorithm",
)
# Statements about the source's pixels.
_LEFT_BEHIND = (
    "DerivationImageSequence",
    "CTImageFrameTypeSequence",
    "CTReconstructionSequence",
    "RealWorldValueMappingSequence",
    "FrameDisplayShutterSequence",
    "PixelIntensityRelationshipLUTSequence",
    "FrameContentSequence",
)
_OF_THE_ACQUISITION = (
    "FrameReferenceDateTime",
    "FrameAcquisitionDateTime",
    "FrameAcquisitionDuration",
    "FrameAcquisitionNumber",
)
_FUNCTIONAL_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_IMAGE_TYPE = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]


def is_enhanced(study: Study) -> bool:
    """Whether the study's slices are frames of Enhanced CT.

    What was converted from single frames lacks what Enhanced CT must hold, and becomes such again.
    """
    return bool(study.headers) and study.headers[0].get("SOPClassUID") == EnhancedCTImageStorage


def _source_groups(source: Dataset) -> tuple[Dataset, Dataset]:
    """What of the source's shared and per-frame groups still holds for a derived frame."""
    kept = []
    for keyword in _FUNCTIONAL_GROUPS:
        items = source.get(keyword) or [Dataset()]
        groups = copy.deepcopy(items[0])
        groups.remove_private_tags()
        for name in (*_GROUPS, *_LEFT_BEHIND):
            groups.pop(name, None)
        kept.append(groups)
    return kept[0], kept[1]


def _frame_groups(header: Dataset, source: Dataset, derivation: Derivation, place: int) -> Dataset:
    """The functional groups of a derived frame; takes what belongs there out of the header."""
    _, groups = _source_groups(source)
    for name, keywords in _GROUPS.items():
        group = Dataset()
        for keyword in keywords:
            if keyword in header:
                group[keyword] = header.pop(keyword)
        setattr(groups, name, [group])
    content = item(StackID="1", InStackPositionNumber=place, DimensionIndexValues=[1, place])
    for old in source.PerFrameFunctionalGroupsSequence[0].get("FrameContentSequence") or []:
        for keyword in _OF_THE_ACQUISITION:
            if keyword in old:
                content[keyword] = old[keyword]
    groups.FrameContentSequence = [content]
    # PS3.16 CID 7203 may be extended; the code is of CID 10033, CT reconstruction algorithms.
    groups.DerivationImageSequence = [
        item(
            DerivationDescription=header.DerivationDescription,
            DerivationCodeSequence=[
                dicom_code("113962", "Filtered Back Projection")
                if derivation.method == "FBP"
                else dicom_code("113963", "Iterative Reconstruction")
            ],
            SourceImageSequence=list(header.get("SourceImageSequence") or []),
        )
    ]
    groups.CTImageFrameTypeSequence = [
        item(
            FrameType=_IMAGE_TYPE,
            PixelPresentation="MONOCHROME",
            VolumetricProperties="VOLUME",
            VolumeBasedCalculationTechnique="NONE",
        )
    ]
    return groups


def _share(frames: Sequence[Dataset], shared: Dataset) -> Dataset:
    """The source's shared groups, and those that all frames have alike, which leave the frames."""
    for element in list(frames[0]):
        if element.keyword in ("FrameContentSequence", "PlanePositionSequence"):
            continue
        if all(element.tag in frame and frame[element.tag] == element for frame in frames):
            shared[element.tag] = element
            for frame in frames:
                del frame[element.tag]
    return shared


def _references(headers: Sequence[Dataset]) -> list[Dataset]:
    """Each source instance once, by its series."""
    by_series: dict[str, dict[str, Dataset]] = {}
    for header in headers:
        for series in header.get("ReferencedSeriesSequence") or []:
            for image in series.ReferencedInstanceSequence:
                image.pop("ReferencedFrameNumber", None)
                found = by_series.setdefault(str(series.SeriesInstanceUID), {})
                found[str(image.ReferencedSOPInstanceUID)] = image
    return [
        item(SeriesInstanceUID=uid, ReferencedInstanceSequence=list(images.values()))
        for uid, images in by_series.items()
    ]


def _evidence(study_uid: str, references: Sequence[Dataset]) -> Dataset:
    """The same references in the form that derivation images need (PS3.3 table C.17-3)."""
    series = [
        item(
            SeriesInstanceUID=reference.SeriesInstanceUID,
            ReferencedSOPSequence=copy.deepcopy(list(reference.ReferencedInstanceSequence)),
        )
        for reference in references
    ]
    return item(StudyInstanceUID=study_uid, ReferencedSeriesSequence=series)


def _dimensions(made: Dataset) -> None:
    organization = generate_uid()
    made.DimensionOrganizationSequence = [item(DimensionOrganizationUID=organization)]
    made.DimensionIndexSequence = [
        item(
            DimensionOrganizationUID=organization,
            DimensionIndexPointer=tag_for_keyword(keyword),
            FunctionalGroupPointer=tag_for_keyword("FrameContentSequence"),
        )
        for keyword in ("StackID", "InStackPositionNumber")
    ]


def _slice_headers(
    study: Study,
    slices: Sequence[np.ndarray],
    grid: Grid,
    identity: SeriesIdentity,
    derivation: Derivation,
    path: Path,
) -> list[Dataset]:
    """A single-frame header with pixels for each slice, all stored in the same kind of numbers."""

    def make(bits: int | None) -> list[Dataset]:
        headers = []
        for index, hu in enumerate(slices):
            header = derived_header(study.headers[index], identity, derivation, index + 1)
            if bits is not None:
                header.BitsStored, header.PixelRepresentation = bits, 1
            set_geometry(header, grid, index)
            set_pixels(header, study.with_padding(hu, index), path)
            headers.append(header)
        return headers

    headers = make(bits=None)
    # A slice beyond the source's bits has been given 16 signed ones, which then serve them all.
    alike = len({(h.BitsStored, h.PixelRepresentation) for h in headers}) == 1
    return headers if alike else make(bits=16)


def enhanced_dataset(
    study: Study,
    slices: Sequence[np.ndarray],
    grid: Grid,
    path: Path,
    identity: SeriesIdentity,
    derivation: Derivation,
) -> Dataset:
    """Derived slices as one Enhanced CT object, ready to be written.

    Args:
        study: the source, whose frames the new ones take the place of, one for one.
        slices: (row, column) HU of each slice, in the study's order.
        grid: where they lie.
        path: that the error names.
        identity: of the new series.
        derivation: what was done.

    Raises:
        StudyError: values that cannot be stored.
    """
    with disable_value_validation():
        headers = _slice_headers(study, slices, grid, identity, derivation, path)
        pixels = b"".join(header.PixelData for header in headers)
        padding = next((h for h in headers if "PixelPaddingValue" in h), None)
        references = _references(headers)
        frames = [
            _frame_groups(header, source, derivation, place)
            for place, (header, source) in enumerate(zip(headers, study.headers, strict=True), start=1)
        ]
        made = headers[0]
        for keyword in _NOT_AT_TOP:
            made.pop(keyword, None)
        for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
            if padding is not None and keyword in padding:
                made[keyword] = padding[keyword]
        made.SOPClassUID = EnhancedCTImageStorage
        made.ImageType = _IMAGE_TYPE
        made.PixelPresentation, made.VolumetricProperties = "MONOCHROME", "VOLUME"
        made.VolumeBasedCalculationTechnique, made.PresentationLUTShape = "NONE", "IDENTITY"
        made.ContentQualification = "RESEARCH"
        made.LossyImageCompression = made.get("LossyImageCompression") or "00"
        # Type 1 of enhanced objects; software has no other.
        made.DeviceSerialNumber = derivation.software_version
        if "AcquisitionContextSequence" not in made:
            made.AcquisitionContextSequence = []
        if references:
            made.ReferencedSeriesSequence = references
            made.SourceImageEvidenceSequence = [_evidence(made.StudyInstanceUID, references)]
        made.NumberOfFrames = len(frames)
        _dimensions(made)
        made.SharedFunctionalGroupsSequence = [_share(frames, _source_groups(study.headers[0])[0])]
        made.PerFrameFunctionalGroupsSequence = frames
        made.PixelData = pixels
        made["PixelData"].VR = "OW"
        return made
