"""Small pieces that DICOM datasets are made of."""

from __future__ import annotations

from collections.abc import Collection

from pydicom.dataset import Dataset


def item(**values: object) -> Dataset:
    """A dataset of these attributes, by keyword."""
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def dicom_code(value: str, meaning: str) -> Dataset:
    """A code of the DICOM standard's own scheme, PS3.16 annex D."""
    return item(CodeValue=value, CodingSchemeDesignator="DCM", CodeMeaning=meaning)


def without(dataset: Dataset, keywords: Collection[str]) -> Dataset:
    """A new dataset of the same elements but these; copy.copy would share their dictionary."""
    made = Dataset()
    made.update({element.tag: element for element in dataset if element.keyword not in keywords})
    return made
