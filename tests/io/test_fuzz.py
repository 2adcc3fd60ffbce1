"""Damaged files end in an error of one line or in a whole result, never in a crash or in half a series.

`RESAMPLE_CT_FUZZ=2000 pytest tests/io/test_fuzz.py` tries that many of each kind.
"""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pydicom
import pytest
from enhanced import enhanced_ct
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from resample_ct.errors import StudyError
from resample_ct.io.derivation import Derivation
from resample_ct.io.dicom_write import write_series
from resample_ct.io.read import read_study

EXAMPLES = int(os.environ.get("RESAMPLE_CT_FUZZ", "15"))
SAMPLE = Path(__file__).parents[2] / "sample_data" / "Lung_Dx-A0002" / "3-B40f"
DERIVATION = Derivation("ReSample", 25, "fuzz", "0")
SIZE = 32

# pydicom warns of much that it reads all the same; a run shows no warnings.
pytestmark = pytest.mark.filterwarnings("ignore")
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
    # The same few each time, so that a change is judged by what it changed; a long fuzz explores.
    derandomize="RESAMPLE_CT_FUZZ" not in os.environ,
)


def _small(path: Path) -> pydicom.Dataset:
    """A real slice at a 16th of its width, so that the header is most of the file."""
    dataset = pydicom.dcmread(path)
    pixels = dataset.pixel_array[:: 512 // SIZE, :: 512 // SIZE]
    dataset.Rows = dataset.Columns = SIZE
    dataset.PixelData = np.ascontiguousarray(pixels).tobytes()
    return dataset


def _bytes(dataset: pydicom.Dataset, **options: object) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True, **options)
    return stream.getvalue()


def _implicit(dataset: pydicom.Dataset) -> bytes:
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return _bytes(dataset, implicit_vr=True, little_endian=True)


def _rle(dataset: pydicom.Dataset) -> bytes:
    dataset.compress(RLELossless, generate_instance_uid=False)
    return _bytes(dataset)


@pytest.fixture(scope="module", params=["explicit", "implicit", "rle", "enhanced"])
def files(request, tmp_path_factory):
    """The files of a small study, by name; the first is the one to be damaged."""
    slices = [_small(path) for path in sorted(SAMPLE.glob("*.dcm"))[:3]]
    if request.param == "enhanced":
        folder = tmp_path_factory.mktemp("small")
        for index, dataset in enumerate(slices):
            dataset.save_as(folder / f"{index}.dcm")
        return {"0.dcm": _bytes(enhanced_ct(sorted(folder.iterdir())))}
    encode = {"explicit": _bytes, "implicit": _implicit, "rle": _rle}[request.param]
    return {f"{index}.dcm": encode(dataset) for index, dataset in enumerate(slices)}


# What an attribute may be made to say, by whether it is a number of two bytes.
NONSENSE = {
    True: [0, 1, 65535],
    False: ["", "0", "-1", "1e300", "nan", "\\\\", "1\\2\\3\\4", "ä"],
}


def survives(files: dict[str, bytes], damaged: bytes) -> None:
    """Read the study with one file damaged, and write what was read."""
    with TemporaryDirectory() as name:
        source, out = Path(name) / "source", Path(name) / "out"
        source.mkdir()
        for path, content in ({**files, "0.dcm": damaged}).items():
            (source / path).write_bytes(content)
        try:
            study = read_study(source)
            write_series(study, study.volume.hu, study.grid, out, DERIVATION)
        except StudyError as error:
            assert str(error) and "\n" not in str(error)
            assert sorted(p.name for p in Path(name).iterdir()) == ["source"]
            return
        again = read_study(out)
        assert len(again) == len(study)
        np.testing.assert_allclose(again.volume.hu, study.volume.hu, atol=1.0, rtol=1e-3)
        shutil.rmtree(out)


def test_the_undamaged_study_is_read(files):
    survives(files, files["0.dcm"])


def test_a_damaged_preamble_leaves_the_meta_group_among_the_rest(files):
    """Which pydicom would not write; found by flipping one bit of the marker."""
    survives(files, files["0.dcm"].replace(b"DICM", b"DICL", 1))


@pytest.mark.parametrize("element", [0x02, 0x03, 0x10, 0x12])
def test_a_vr_in_the_meta_group_that_does_not_exist(files, element):
    """Found by overwriting: the meta group's own elements were looked at later than the header's."""
    whole = files["0.dcm"]
    place = whole.index(bytes((2, 0, element, 0))) + 4
    survives(files, whole[: place + 1] + b"\0" + whole[place + 2 :])


def test_a_codec_that_panics_is_no_crash(files):
    """Found by flipping bits of RLE segments: their decoder's panic is no Exception."""
    whole = files["0.dcm"]
    for place in range(len(whole) - 2000, len(whole), 97):
        survives(files, whole[:place] + b"\x7f" + whole[place + 1 :])


@fuzz
@given(share=st.floats(0, 1))
def test_truncated(files, share):
    whole = files["0.dcm"]
    survives(files, whole[: int(share * len(whole))])


@fuzz
@given(places=st.lists(st.tuples(st.floats(0, 0.999999), st.integers(0, 7)), min_size=1, max_size=20))
def test_bits_flipped(files, places):
    damaged = bytearray(files["0.dcm"])
    for share, bit in places:
        damaged[int(share * len(damaged))] ^= 1 << bit
    survives(files, bytes(damaged))


@fuzz
@given(start=st.floats(0, 0.999999), noise=st.binary(min_size=1, max_size=64))
def test_a_stretch_overwritten(files, start, noise):
    damaged = bytearray(files["0.dcm"])
    first = int(start * len(damaged))
    damaged[first : first + len(noise)] = noise
    survives(files, bytes(damaged))


@fuzz
@given(data=st.data())
def test_a_wrong_vr_or_a_huge_length(files, data):
    """Overwrites what stands behind one of the header's tags: the VR and the length."""
    whole = files["0.dcm"]
    tags = [element.tag for element in pydicom.dcmread(io.BytesIO(whole), stop_before_pixels=True)]
    tag = data.draw(st.sampled_from(tags))
    mark = tag.group.to_bytes(2, "little") + tag.elem.to_bytes(2, "little")
    place = whole.find(mark, 132) + 4
    vr = data.draw(st.sampled_from([b"UN", b"SQ", b"OB", b"DS", b"US", b"FD", b"PN", b"??", b"\0\0"]))
    length = data.draw(st.sampled_from([b"\xff\xff", b"\0\0", b"\x01\0", b"\xff\x7f"]))
    survives(files, whole[:place] + vr + length + whole[place + 4 :])


@fuzz
@given(data=st.data())
def test_attributes_taken_away(files, data):
    dataset = pydicom.dcmread(io.BytesIO(files["0.dcm"]))
    for tag in data.draw(st.lists(st.sampled_from(sorted(dataset.keys())), min_size=1, max_size=6)):
        dataset.pop(tag, None)
    stream = io.BytesIO()
    dataset.save_as(stream)
    survives(files, stream.getvalue())


@fuzz
@given(data=st.data())
def test_attributes_emptied_or_nonsense(files, data):
    dataset = pydicom.dcmread(io.BytesIO(files["0.dcm"]))
    plain = [
        element.tag for element in dataset if element.VR in ("DS", "IS", "CS", "UI", "LO", "DA", "US")
    ]
    with pydicom.config.disable_value_validation():
        for tag in data.draw(st.lists(st.sampled_from(plain), min_size=1, max_size=4)):
            kind = dataset[tag].VR
            value = data.draw(st.sampled_from(NONSENSE[kind == "US"]))
            dataset[tag] = pydicom.dataelem.RawDataElement(
                tag,
                kind,
                0,
                value.to_bytes(2, "little") if kind == "US" else value.encode("latin-1"),
                0,
                False,
                True,
            )
        stream = io.BytesIO()
        dataset.save_as(stream)
    survives(files, stream.getvalue())
