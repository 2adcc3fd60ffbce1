"""Identified data stays out of folders that are marked for research."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from resample_ct.errors import StudyError
from resample_ct.io.identity_guard import MARKER, refuse_identified


def header(removed):
    made = Dataset()
    if removed is not None:
        made.PatientIdentityRemoved = removed
    return made


@pytest.fixture
def marked(tmp_path):
    folder = tmp_path / "study"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / MARKER).touch()
    return folder


@pytest.mark.parametrize("place", [".", "new", "deep/er/new"])
@pytest.mark.parametrize("removed", ["NO", None, ""])
def test_an_identified_study_is_refused_in_and_below_a_marked_folder(marked, place, removed):
    with pytest.raises(StudyError) as caught:
        refuse_identified([header("YES"), header(removed)], marked / place)
    for word in (str(marked), "PatientIdentityRemoved (0012,0062)", "--deidentify"):
        assert word in str(caught.value)


def test_a_link_does_not_lead_around_the_marker(marked, tmp_path):
    (tmp_path / "link").symlink_to(marked / "deep")
    with pytest.raises(StudyError, match="marked for research"):
        refuse_identified([header("NO")], tmp_path / "link" / "new")


@pytest.mark.parametrize("headers", [[], [header("YES")]])
def test_what_names_no_one_may_go_there(marked, headers):
    refuse_identified(headers, marked / "new")


def test_elsewhere_anything_may_go(marked, tmp_path):
    refuse_identified([header("NO")], tmp_path / "other")
