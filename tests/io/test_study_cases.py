"""What becomes of every kind of study, as docs/dicom.md says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from study_cases import CASES

from resample_ct.errors import StudyError
from resample_ct.io.read import read_study

DOCS = Path(__file__).parents[2] / "docs" / "dicom.md"
IDS = [case.name for case in CASES]


@pytest.fixture
def folder(series):
    def make(case):
        made = series(4, case.edit)
        case.arrange(made)
        return made

    return make


ACCEPTED = [case for case in CASES if case.verdict != "refused"]
REFUSED = [case for case in CASES if case.verdict == "refused"]


@pytest.mark.filterwarnings("ignore::UserWarning:highdicom")
@pytest.mark.parametrize("case", ACCEPTED, ids=[case.name for case in ACCEPTED])
def test_hu_geometry_and_patient_survive_and_the_note_is_told(case, folder, rewrite):
    source = read_study(folder(case))
    assert case.told in "; ".join(source.notes)
    assert case.told or not source.notes
    result = read_study(rewrite(source))
    for index in range(len(source)):
        before, after = source.pixels(index), result.pixels(index)
        np.testing.assert_array_equal(after.hu, before.hu)
        np.testing.assert_array_equal(after.padding, before.padding)
    np.testing.assert_array_equal(result.grid.positions, source.grid.positions)
    np.testing.assert_array_equal(result.grid.row_direction, source.grid.row_direction)
    for keyword in ("PatientName", "PatientID"):
        old, new = source.headers[0].get(keyword), result.headers[0].get(keyword)
        assert (new or "") == (old or ""), keyword


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.verdict == "refused"], ids=lambda case: case.name
)
def test_what_is_refused_is_told_in_one_line(case, folder):
    with pytest.raises(StudyError) as caught:
        read_study(folder(case))
    assert case.told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_table_in_the_documentation_is_this_list():
    text = DOCS.read_text()
    _, table = text.split("| study | what happens | note or message |\n|---|---|---|\n")
    rows = table.split("\n\n")[0].splitlines()
    assert rows == [case.row for case in CASES]


def test_every_verdict_is_one_of_three():
    assert {case.verdict for case in CASES} == {"reconstructed", "converted", "refused"}
    assert len(set(IDS)) == len(IDS)
