"""A report's page as a DICOM object: Encapsulated PDF (PS3.3 A.45.1) in the source's study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, generate_uid

from resample_ct.io.derivation import RESEARCH_ONLY, Derivation, SeriesIdentity, derived_header
from resample_ct.io.dicom_file import new_file, save_dataset
from resample_ct.io.study import Study

# The groups of the patient's and the de-identification's attributes.
_PATIENT_GROUPS = (0x0010, 0x0012)
_STUDY = (
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "ProcedureCodeSequence",
)
_EQUIPMENT = (
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "ContributingEquipmentSequence",
)
_MADE = (
    "InstanceCreationDate",
    "InstanceCreationTime",
    "ContentDate",
    "ContentTime",
    "SeriesDate",
    "SeriesTime",
)


def _reference(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return item


def _described(study: Study, reconstructions: Sequence[Path]) -> list[Dataset]:
    """What the report tells of: each source and reconstructed instance once."""
    files = [file for folder in reconstructions for file in sorted(folder.glob("*.dcm"))]
    written = [pydicom.dcmread(file, specific_tags=["SOPClassUID", "SOPInstanceUID"]) for file in files]
    known = [h for h in (*study.headers, *written) if h.get("SOPClassUID") and h.get("SOPInstanceUID")]
    return list({str(h.SOPInstanceUID): _reference(h) for h in known}.values())


def _header(study: Study, derivation: Derivation) -> Dataset:
    """Patient, study, equipment and dates, as a derived slice has them."""
    source = study.headers[0] if study.headers else None
    identity = SeriesIdentity.new(source, derivation.place)
    like = derived_header(source, identity, derivation, 1)
    header = Dataset()
    for element in like:
        if element.tag.group in _PATIENT_GROUPS:
            header.add(element)
    for keyword in (*_STUDY, *_EQUIPMENT, *_MADE):
        if keyword in like:
            header[keyword] = like[keyword]
    header.SeriesInstanceUID, header.SeriesNumber = identity.series_uid, identity.series_number
    return header


def write_report(
    study: Study, reconstructions: Sequence[Path], pdf: bytes, path: Path, derivation: Derivation
) -> str:
    """Write a PDF as a DICOM object of the source's patient and study.

    Args:
        study: the source that was reconstructed.
        reconstructions: folders of derived series that the report tells of.
        pdf: the document.
        path: new file, which appears only when it is whole.
        derivation: what was done; its method and views go into the title.

    Returns:
        The new SeriesInstanceUID.

    Raises:
        StudyError: the file exists.
    """
    with new_file(path) as partial, disable_value_validation():
        header = _header(study, derivation)
        header.SOPClassUID, header.SOPInstanceUID = EncapsulatedPDFStorage, generate_uid()
        header.Modality = "DOC"
        header.SeriesDescription = f"{derivation.method} report (research)"[:64]
        # Made on a workstation; no capture of a screen or of film.
        header.ConversionType = "WSD"
        header.InstanceNumber = 1
        header.AcquisitionDateTime = ""
        # The page names the patient, unless the source no longer does.
        header.BurnedInAnnotation = "NO" if header.get("PatientIdentityRemoved") == "YES" else "YES"
        header.RecognizableVisualFeatures = "NO"
        described = _described(study, reconstructions)
        if described:
            header.SourceInstanceSequence = described
        header.DocumentTitle = f"{derivation.method}, {derivation.views} views. {RESEARCH_ONLY}"
        # No code for a report of a research reconstruction exists; type 2 may be empty.
        header.ConceptNameCodeSequence = []
        header.MIMETypeOfEncapsulatedDocument = "application/pdf"
        header.EncapsulatedDocumentLength = len(pdf)
        header.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
        save_dataset(header, partial)
    return str(header.SeriesInstanceUID)
