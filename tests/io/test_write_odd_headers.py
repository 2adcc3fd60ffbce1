"""Headers that are foreign, incomplete or wrong still make a series."""

import numpy as np
import pydicom
import pytest

from resample_ct.io.read import read_study

NAMES = {
    "ISO_IR 192": "Müller^Ärzte=王^小东",
    "ISO_IR 100": "Müller^Jürgen",
    "GB18030": "Wang^XiaoDong=王^小东",
    ("", "ISO 2022 IR 87"): "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ("", "ISO 2022 IR 149"): "Hong^Gildong=洪^吉洞=홍^길동",
}


@pytest.mark.parametrize(("charset", "name"), NAMES.items(), ids=NAMES.values())
def test_a_name_in_any_script_survives(derived, charset, name):
    def edit(dataset, index):
        dataset.SpecificCharacterSet = charset if isinstance(charset, str) else list(charset)
        dataset.PatientName = name

    assert derived(edit).PatientName == name


EMPTY_OR_MISSING = ("StudyDate", "StudyTime", "PatientID", "PatientName", "PatientBirthDate", "StudyID")


def test_missing_identifiers_are_written_empty(derived):
    def edit(dataset, index):
        for keyword in EMPTY_OR_MISSING:
            delattr(dataset, keyword)
        for keyword in ("Manufacturer", "SeriesNumber", "SOPInstanceUID", "FrameOfReferenceUID"):
            delattr(dataset, keyword)

    header = derived(edit)
    for keyword in EMPTY_OR_MISSING:
        assert not header[keyword].value
    assert header.FrameOfReferenceUID
    assert header.SeriesNumber == 1000


@pytest.mark.parametrize("vr", ["DS", "FD", "US", "OB"])
@pytest.mark.filterwarnings("ignore:A value of type|Invalid value")
def test_an_attribute_in_a_wrong_vr_is_written_anew_in_its_own(derived, vr):
    """Found by damaging headers: comments as decimal strings took no text."""

    def edit(dataset, index):
        dataset.add_new("ImageComments", vr, b"" if vr == "OB" else None)
        dataset.add_new("RescaleType", "LT" if vr == "OB" else "UC", "HU")

    header = derived(edit)
    assert "research only" in header.ImageComments
    assert (header["ImageComments"].VR, header["RescaleType"].VR) == ("LT", "LO")


def patch(path, keyword, value):
    """Replace an element's bytes, which pydicom would not write so."""
    element = pydicom.dcmread(path)[keyword]
    tag = element.tag.group.to_bytes(2, "little") + element.tag.element.to_bytes(2, "little")
    content = path.read_bytes()
    start = content.index(tag + element.VR.encode()) + 6
    stop = start + 2 + int.from_bytes(content[start : start + 2], "little")
    path.write_bytes(content[:start] + len(value).to_bytes(2, "little") + value + content[stop:])


BROKEN = {
    "StudyDate": b"2007-04-25",
    "SeriesNumber": b"three ",
    "InstanceNumber": b"1.5 ",
    "ExposureTime": b"12.5",
    "ReconstructionDiameter": b"331.00000000000000001 ",
    "StudyInstanceUID": b"study 1\0",
    "StudyDescription": b"x" * 80,
    "PatientAge": b"53",
    "KVP": b"high",
}


@pytest.mark.parametrize(("keyword", "value"), BROKEN.items(), ids=BROKEN.keys())
def test_a_value_that_breaks_the_rules_does_not_break_the_series(series, rewrite, keyword, value):
    folder = series(1)
    patch(folder / "00.dcm", keyword, value)
    source = read_study(folder)
    np.testing.assert_array_equal(read_study(rewrite(source)).volume.hu, source.volume.hu)


def test_a_dual_personality_preamble_is_not_taken_over(derived):
    header = derived(lambda dataset, index: setattr(dataset, "preamble", b"II*\0" + bytes(124)))
    assert header.preamble == bytes(128)
