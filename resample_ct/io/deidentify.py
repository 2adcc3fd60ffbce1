"""Basic Application Level Confidentiality Profile (PS3.15 annex E) over a study's headers.

What the profile does with each attribute, its table E.1-1, and its dummy values come from
dicom-anonymizer. Its walk does not: that ends at the top level of a dataset, writes a dummy date where
the profile says remove, and forgets the new UIDs with the process.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import os
import secrets
import uuid
from dataclasses import dataclass, replace
from functools import cache

from pydicom.config import disable_value_validation
from pydicom.datadict import dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from resample_ct.errors import StudyError
from resample_ct.io.datasets import dicom_code
from resample_ct.io.dicom_checks import tag_name
from resample_ct.io.study import Study

SECRET_VARIABLE = "RESAMPLE_CT_UID_SECRET"
_EDITION = "dicomfields_2026c"
# dicom-anonymizer's are of the year 1, which dciodvfy finds invalid in a DT.
_NO_MOMENT = {"DA": "19000101", "TM": "000000", "DT": "19000101000000"}
_METHOD = "DICOM PS3.15 Basic Profile by resample-ct"


@dataclass(frozen=True)
class UidMap:
    """New UIDs for old ones: the same for the same secret, and no way back without it."""

    secret: bytes

    def __call__(self, old: str) -> str:
        """The UID that takes the place of `old`, under 2.25 as PS3.5 B.2 makes them."""
        digest = hmac.digest(self.secret, old.encode(), hashlib.sha256)
        return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def secret_of_run() -> bytes:
    """The secret that the environment names, or a new one that dies with the process."""
    return os.environ.get(SECRET_VARIABLE, "").encode() or secrets.token_bytes(32)


@cache
def _profile() -> tuple[dict[tuple[int, int], str], list[tuple[int, int, int, int]]]:
    """The profile's code of each attribute, and the ranges of attributes that are removed."""
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

    table = dicom_anonymization_database_selector(_EDITION)
    codes = {
        tag: category.removesuffix("_TAGS")
        for category, tags in table.items()
        if category != "ALL_TAGS"
        for tag in tags
        if len(tag) == 2
    }
    return codes, [tag for tag in table["X_TAGS"] if len(tag) == 4]


def _code_of(element: DataElement) -> str:
    """The profile's code: X remove, Z empty, D dummy, U new UID, X_Z_U_STAR references, K keep."""
    codes, removed = _profile()
    group, number = element.tag.group, element.tag.element
    # What no dictionary knows, no profile can clear.
    if element.tag.is_private or not dictionary_has_tag(element.tag):
        return "X"
    if any(group & r[2] == r[0] & r[2] and number & r[3] == r[1] & r[3] for r in removed):
        return "X"
    return codes.get((group, number), "K")


def _dummy(element: DataElement, uids: UidMap) -> None:
    """Something that says nothing, in the element's own VR."""
    from dicomanonymizer.simpledicomanonymizer import replace_element

    if element.VR == "SQ":
        for inner in [inner for item in element.value for inner in item]:
            _dummy(inner, uids)
    elif element.VR == "UI":
        _new_uids(element, uids)
    elif element.VR in _NO_MOMENT:
        element.value = _NO_MOMENT[element.VR]
    else:
        replace_element(element)


def _new_uids(element: DataElement, uids: UidMap) -> None:
    if isinstance(element.value, MultiValue):
        element.value = [uids(str(uid)) for uid in element.value]
    elif element.value:
        element.value = uids(str(element.value))


def _clean(dataset: Dataset, uids: UidMap) -> None:
    """Apply the profile to a dataset and to all that it holds."""
    for element in list(dataset):
        code = _code_of(element)
        if code == "U" and element.VR == "UI":
            _new_uids(element, uids)
        elif code == "D":
            _dummy(element, uids)
        elif code in ("Z", "Z_D"):
            element.value = [] if element.VR == "SQ" else None
        elif code in ("K", "X_Z_U_STAR") and element.VR == "SQ":
            # References stay, to the new UIDs.
            for item in element.value:
                _clean(item, uids)
        elif code != "K":
            # What some object must hold all the same is put there, empty, by its writer.
            del dataset[element.tag]


def deidentified_header(source: Dataset, uids: UidMap) -> Dataset:
    """A copy of a header without what names the patient, that says so.

    Raises StudyError for pixels into which text is burned, which no header can take out.
    """
    if source.get("BurnedInAnnotation") == "YES":
        raise StudyError(
            f"--deidentify: {tag_name('BurnedInAnnotation')}: found YES, expected pixels without text; "
            "take the text out of the images first"
        )
    header = copy.deepcopy(source)
    with disable_value_validation():
        _clean(header, uids)
        header.PatientIdentityRemoved = "YES"
        header.DeidentificationMethod = _METHOD
        header.DeidentificationMethodCodeSequence = [
            dicom_code("113100", "Basic Application Confidentiality Profile")
        ]
        header.LongitudinalTemporalInformationModified = "REMOVED"
    return header


def deidentify(study: Study, secret: bytes) -> Study:
    """The same study without what names the patient; its voxels stay as they are.

    Args:
        study: as it was read.
        secret: of the new UIDs; the same secret gives the same UIDs.

    Raises:
        StudyError: text burned into the pixels.
    """
    uids = UidMap(secret)
    headers = tuple(deidentified_header(header, uids) for header in study.headers)
    return replace(study, name="de-identified CT series", headers=headers)
