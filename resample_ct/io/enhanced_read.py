"""Enhanced multi-frame CT (PS3.3 A.38, and A.70 converted from legacy) as headers of single slices."""

from __future__ import annotations

from dataclasses import replace

from pydicom.dataset import Dataset

from resample_ct.io.datasets import without
from resample_ct.io.dicom_checks import refuse, whole_number
from resample_ct.io.sources import SourceFile

# The functional groups whose attributes a single-frame CT image has in its header.
_FLATTENED = (
    # What conversion from single frames found no other group for.
    "UnassignedSharedConvertedAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
    "CTXRayDetailsSequence",
    "CTReconstructionSequence",
)
_OF_THE_WHOLE = (
    "NumberOfFrames",
    "DimensionOrganizationSequence",
    "DimensionOrganizationType",
    "DimensionIndexSequence",
    "ConcatenationUID",
    "ConcatenationFrameOffsetNumber",
    "InConcatenationNumber",
    "InConcatenationTotalNumber",
    "SOPInstanceUIDOfConcatenationSource",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)


def _first_items(groups: Dataset) -> dict[str, Dataset]:
    """The functional groups of a shared or per-frame item, each by its keyword."""
    return {
        element.keyword: element.value[0] for element in groups if element.VR == "SQ" and element.value
    }


def _replace(frame: Dataset, keyword: str, value: object) -> None:
    frame.pop(keyword, None)
    setattr(frame, keyword, value)


def split_frames(file: SourceFile, header: Dataset) -> list[tuple[SourceFile, Dataset]]:
    """A header for each frame, as if it were a single-frame CT image, and where its pixels are.

    The frame's own functional groups stay in the header too, for what a derived image takes over.
    InstanceNumber is the frame's number, counted from 1; SOPInstanceUID is the whole object's.

    Raises:
        StudyError: functional groups that are missing or not as many as there are frames.
    """
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    count = whole_number(header, "NumberOfFrames") or 0
    if count < 1 or len(per_frame) != count:
        raise refuse(
            file,
            "PerFrameFunctionalGroupsSequence",
            f"{len(per_frame)} items",
            f"one for each of {count} frames",
            "export the series again, or as single-frame CT images",
        )
    shared = header.get("SharedFunctionalGroupsSequence") or []
    common = without(header, _OF_THE_WHOLE)
    frames = []
    for number, own in enumerate(per_frame, start=1):
        frame = without(common, ())
        groups = (_first_items(shared[0]) if shared else {}) | _first_items(own)
        for keyword in _FLATTENED:
            for element in groups.get(keyword, Dataset()):
                frame[element.tag] = element
        kind = groups.get("CTImageFrameTypeSequence", Dataset()).get("FrameType")
        # Replaced, not set: the elements are shared among the frames.
        if kind:
            _replace(frame, "ImageType", kind)
        _replace(frame, "InstanceNumber", number)
        if shared:
            frame.SharedFunctionalGroupsSequence = shared
        frame.PerFrameFunctionalGroupsSequence = [own]
        frames.append((replace(file, frame=number), frame))
    return frames
