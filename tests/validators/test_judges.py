"""The judges themselves: they must see a fault that is there, or their silence means nothing."""

from __future__ import annotations

import judges
import pydicom


def test_dciodvfy_finds_an_attribute_that_was_taken_away(series):
    source = series(1) / "00.dcm"
    broken = pydicom.dcmread(source)
    del broken.PixelSpacing
    broken.save_as(source.with_name("broken.dcm"))
    (found,) = judges.new_findings(source, source.with_name("broken.dcm"))
    assert found.startswith("Error") and "PixelSpacing" in found


def test_dciodvfy_finds_a_code_that_is_no_code(series):
    source = series(1) / "00.dcm"
    broken = pydicom.dcmread(source)
    broken.PatientSex = "W"
    broken.save_as(source.with_name("broken.dcm"))
    assert any("Patient" in line for line in judges.new_findings(source, source.with_name("broken.dcm")))
    assert judges.new_findings(source, source) == set()
