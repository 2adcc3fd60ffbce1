"""An Enhanced CT object as a scanner would send it, made of single-frame slices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

from resample_ct.io.datasets import item

_PER_FRAME = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "WindowCenter",
    "WindowWidth",
    "WindowCenterWidthExplanation",
    "KVP",
    "ConvolutionKernel",
    "ReconstructionDiameter",
    "ExposureTime",
    "XRayTubeCurrent",
    "Exposure",
    "FilterType",
    "GantryDetectorTilt",
    "TableHeight",
    "RotationDirection",
    "DistanceSourceToDetector",
    "DistanceSourceToPatient",
    "DataCollectionDiameter",
    "GeneratorPower",
    "FocalSpots",
    "SliceLocation",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "ReferencedImageSequence",
    "SourceImageSequence",
    "AcquisitionDate",
    "AcquisitionTime",
)
TYPE = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _frame_groups(source: Dataset, place: int) -> Dataset:
    content = item(
        FrameAcquisitionDateTime="20070425173516",
        FrameReferenceDateTime="20070425173516",
        FrameAcquisitionDuration=500.0,
        StackID="1",
        InStackPositionNumber=place,
        DimensionIndexValues=[1, place],
    )
    rescale = item(
        RescaleSlope=source.RescaleSlope, RescaleIntercept=source.RescaleIntercept, RescaleType="HU"
    )
    return item(
        FrameContentSequence=[content],
        PlanePositionSequence=[item(ImagePositionPatient=source.ImagePositionPatient)],
        PixelValueTransformationSequence=[rescale],
    )


def _shared_groups(source: Dataset) -> Dataset:
    chest = [_code("51185008", "SCT", "Chest")]
    return item(
        PixelMeasuresSequence=[
            item(PixelSpacing=source.PixelSpacing, SliceThickness=source.SliceThickness)
        ],
        PlaneOrientationSequence=[item(ImageOrientationPatient=source.ImageOrientationPatient)],
        FrameAnatomySequence=[item(FrameLaterality="U", AnatomicRegionSequence=chest)],
        FrameVOILUTSequence=[item(WindowCenter=40, WindowWidth=350)],
        CTImageFrameTypeSequence=[
            item(
                FrameType=TYPE,
                PixelPresentation="MONOCHROME",
                VolumetricProperties="VOLUME",
                VolumeBasedCalculationTechnique="NONE",
            )
        ],
        IrradiationEventIdentificationSequence=[item(IrradiationEventUID="1.2.3")],
        CTXRayDetailsSequence=[item(KVP=120, FocalSpots=[1.2], FilterType="FLAT", FilterMaterial="TIN")],
    )


def enhanced_ct(slices: Sequence[Path]) -> Dataset:
    """One Enhanced CT object of these single-frame files, frame by frame in their order."""
    sources = [pydicom.dcmread(path) for path in slices]
    made = pydicom.dcmread(slices[0])
    made.remove_private_tags()
    for keyword in _PER_FRAME:
        made.pop(keyword, None)
    made.SOPClassUID, made.SOPInstanceUID = EnhancedCTImageStorage, generate_uid()
    made.ImageType = TYPE
    made.NumberOfFrames, made.InstanceNumber = len(sources), 1
    made.PixelPresentation, made.VolumetricProperties = "MONOCHROME", "VOLUME"
    made.VolumeBasedCalculationTechnique, made.PresentationLUTShape = "NONE", "IDENTITY"
    made.ContentQualification, made.LossyImageCompression = "PRODUCT", "00"
    made.BurnedInAnnotation, made.AcquisitionContextSequence = "NO", []
    made.DeviceSerialNumber, made.SoftwareVersions = "42", "syngo"
    made.AcquisitionDateTime = "20070425173516"
    organization = generate_uid()
    made.DimensionOrganizationSequence = [item(DimensionOrganizationUID=organization)]
    made.DimensionIndexSequence = [
        item(
            DimensionOrganizationUID=organization,
            DimensionIndexPointer=pointer,
            FunctionalGroupPointer=0x00209111,
        )
        for pointer in (0x00209056, 0x00209057)
    ]
    made.SharedFunctionalGroupsSequence = [_shared_groups(sources[0])]
    made.PerFrameFunctionalGroupsSequence = [
        _frame_groups(source, place) for place, source in enumerate(sources, start=1)
    ]
    made.PixelData = b"".join(source.PixelData for source in sources)
    made["PixelData"].VR = "OW"
    made.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made
