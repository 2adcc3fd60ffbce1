"""Every kind of study that scanners and archives send, and what becomes of it.

The one list behind the tests and the table in docs/dicom.md: `python tests/study_cases.py` prints the
table's rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from enhanced import enhanced_ct
from pydicom import uid
from pydicom.dataset import Dataset

Edit = Callable[[Dataset, int], None]


@dataclass(frozen=True)
class Case:
    """A study, made of four real slices that `edit` changes one by one and `arrange` as a folder.

    Attributes:
        name: what a user would call it.
        verdict: reconstructed, converted (the values are the same, the form is another) or refused.
        told: part of the note, or of the error; empty where there is nothing to tell.
        edit: changes slice `index`.
        arrange: changes the folder of files.
    """

    name: str
    verdict: str
    told: str = ""
    edit: Edit = lambda dataset, index: None
    arrange: Callable[[Path], None] = lambda folder: None

    @property
    def row(self) -> str:
        """Its row in the documentation."""
        return f"| {self.name} | {self.verdict} | {self.told or '-'} |"


def put(**values: object) -> Edit:
    """Sets attributes of every slice."""

    def edit(dataset: Dataset, index: int) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return edit


def put_one(**values: object) -> Edit:
    """Sets attributes of the third slice."""
    return lambda dataset, index: put(**values)(dataset, index) if index == 2 else None


def drop(*keywords: str) -> Edit:
    """Deletes attributes of every slice."""

    def edit(dataset: Dataset, index: int) -> None:
        for keyword in keywords:
            dataset.pop(keyword, None)

    return edit


def drop_one(keyword: str) -> Edit:
    """Deletes an attribute of the third slice."""
    return lambda dataset, index: dataset.pop(keyword, None) if index == 2 else None


def stack(*cosines: float, step: tuple[float, float, float] | None = None) -> Edit:
    """Lays the slices along their normal, or along `step`."""

    def edit(dataset: Dataset, index: int) -> None:
        row, column = np.reshape(cosines, (2, 3))
        along = 3.0 * np.cross(row, column) if step is None else np.array(step)
        place = np.array([-100.0, -120.0, 40.0]) + index * along
        dataset.ImageOrientationPatient = [round(float(v), 8) for v in cosines]
        dataset.ImagePositionPatient = [round(float(v), 8) for v in place]

    return edit


def feet_first(dataset: Dataset, index: int) -> None:
    stack(-1, 0, 0, 0, 1, 0)(dataset, index)
    dataset.PatientPosition = "FFS"


def tilted(dataset: Dataset, index: int) -> None:
    stack(1, 0, 0, 0, 0.9396926, -0.3420201, step=(0, 0, 3.0))(dataset, index)
    dataset.GantryDetectorTilt = -20


def heights(*places: float) -> Edit:
    """Puts the slices at these heights, numbered in that order."""

    def edit(dataset: Dataset, index: int) -> None:
        dataset.ImagePositionPatient = [-173, -294, places[index]]

    return edit


def store(dataset: Dataset, stored: np.ndarray, bits: int, signed: bool, intercept: float) -> None:
    """Replaces the pixels."""
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits - 1, int(signed)
    dataset.RescaleIntercept = intercept
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue"):
        dataset.pop(keyword, None)
    dataset.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()


def own_rescale(dataset: Dataset, index: int) -> None:
    dataset.RescaleSlope, dataset.RescaleIntercept = 0.5 * (index + 1), -1000 - index


def signed_12_bits(dataset: Dataset, index: int) -> None:
    hu = dataset.pixel_array.astype(np.int32) - 1024
    store(dataset, np.clip(hu, -2048, 2047), 12, signed=True, intercept=0)


def negative_slope(dataset: Dataset, index: int) -> None:
    hu = dataset.pixel_array.astype(np.int32) - 1024
    store(dataset, 3000 - hu, 16, signed=True, intercept=3000)
    dataset.RescaleSlope = -1


def padded(dataset: Dataset, index: int) -> None:
    stored = dataset.pixel_array.astype(np.int32)
    stored[:40, :40] = -2000
    store(dataset, stored, 16, signed=True, intercept=-1024)
    dataset.add_new("PixelPaddingValue", "US", 63536)


def padded_as_water(dataset: Dataset, index: int) -> None:
    signed_12_bits(dataset, index)
    dataset.add_new("PixelPaddingValue", "SS", 0)


def air_below(dataset: Dataset, index: int) -> None:
    hu = dataset.pixel_array.astype(np.int32) - 1024
    noise = np.random.default_rng(index).integers(-150, 0, hu.shape)
    store(dataset, np.where(hu < -900, hu + noise, hu), 16, signed=True, intercept=0)


def unsigned(dataset: Dataset, index: int) -> None:
    hu = dataset.pixel_array.astype(np.int32) - 1024
    store(dataset, hu.astype("<i2").view("<u2"), 16, signed=False, intercept=0)


def overlay_bits(dataset: Dataset, index: int) -> None:
    dataset.PixelData = (dataset.pixel_array | np.uint16(0x8000)).astype("<u2").tobytes()


def private(dataset: Dataset, index: int) -> None:
    block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", b"\0" * 500)


def named(charset: str | list[str], name: str) -> Edit:
    def edit(dataset: Dataset, index: int) -> None:
        dataset.SpecificCharacterSet = charset
        dataset.PatientName = name

    return edit


def compressed(syntax: uid.UID) -> Edit:
    return lambda dataset, index: dataset.compress(syntax)


def big_endian(folder: Path) -> None:
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        plain = Dataset()
        plain.update({element.tag: element for element in dataset if not element.tag.is_private})
        plain.PixelData = np.frombuffer(dataset.PixelData, "<u2").byteswap().tobytes()
        plain.file_meta = dataset.file_meta
        plain.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
        plain.save_as(path, enforce_file_format=True)


def rewritten(syntax: uid.UID) -> Callable[[Path], None]:
    def arrange(folder: Path) -> None:
        for path in folder.iterdir():
            dataset = pydicom.dcmread(path)
            dataset.file_meta.TransferSyntaxUID = syntax
            dataset.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=True)

    return arrange


def bare(folder: Path) -> None:
    for path in folder.iterdir():
        dataset = Dataset(pydicom.dcmread(path))
        with path.open("wb") as file:
            pydicom.dcmwrite(file, dataset, implicit_vr=True, little_endian=True)


def enhanced(folder: Path) -> None:
    made = enhanced_ct(sorted(folder.iterdir()))
    for path in list(folder.iterdir()):
        path.unlink()
    made.save_as(folder / "enhanced.dcm")


def legacy_converted(folder: Path) -> None:
    from highdicom.legacy import LegacyConvertedEnhancedCTImage

    files = sorted(folder.iterdir())
    slices = [pydicom.dcmread(path) for path in files]
    for dataset in slices:
        dataset.PatientName, dataset.StudyID = "Doe^Jane", "1"
    made = LegacyConvertedEnhancedCTImage(slices, uid.generate_uid(), 7, uid.generate_uid(), 1)
    for path in files:
        path.unlink()
    made.save_as(folder / "legacy.dcm")


def enhanced_without_groups(folder: Path) -> None:
    enhanced(folder)
    made = pydicom.dcmread(folder / "enhanced.dcm")
    del made.PerFrameFunctionalGroupsSequence
    made.save_as(folder / "enhanced.dcm")


def remove_one(folder: Path) -> None:
    (folder / "02.dcm").unlink()


def cut_one(folder: Path) -> None:
    path = folder / "02.dcm"
    path.write_bytes(path.read_bytes()[:-1000])


def two_kernels(dataset: Dataset, index: int) -> None:
    dataset.ConvolutionKernel = "B40f" if index < 2 else "B70f"
    dataset.SeriesInstanceUID = f"1.2.3.{index // 2}"


def two_kernels_in_one(dataset: Dataset, index: int) -> None:
    dataset.ConvolutionKernel = "B40f" if index < 2 else "B70f"
    dataset.ImagePositionPatient = [-173, -294, 8 * (index % 2)]


def two_energies(dataset: Dataset, index: int) -> None:
    dataset.KVP = 80 if index < 2 else 140
    dataset.ImagePositionPatient = [-173, -294, 8 * (index % 2)]


ANONYMOUS = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "SeriesDescription",
    "SeriesNumber",
    "FrameOfReferenceUID",
    "Manufacturer",
    "SOPInstanceUID",
)
DAMAGED = "PixelData (7FE0,0010): cannot be decoded"

CASES = (
    Case("CT Image Storage, axial", "reconstructed"),
    Case("Enhanced CT", "reconstructed", arrange=enhanced),
    Case("Legacy Converted Enhanced CT", "reconstructed", arrange=legacy_converted),
    Case("oblique stack", "reconstructed", edit=stack(0.8, 0.6, 0, -0.48, 0.64, 0.6)),
    Case("sagittal stack", "reconstructed", edit=stack(0, 1, 0, 0, 0, -1)),
    Case("coronal stack", "reconstructed", edit=stack(1, 0, 0, 0, 0, -1)),
    Case("feet first", "reconstructed", edit=feet_first),
    Case("gantry tilt", "reconstructed", "slices are sheared (gantry tilt)", edit=tilted),
    Case(
        "uneven spacing",
        "reconstructed",
        "uneven spacing of 3 to 5 mm kept slice by slice",
        edit=heights(0, 3, 8, 11),
    ),
    Case(
        "planned gap (instance numbers go on)",
        "reconstructed",
        "uneven spacing of 3 to 6 mm kept slice by slice",
        edit=heights(0, 3, 9, 12),
    ),
    Case(
        "localizer among the slices",
        "reconstructed",
        "left out 1 x localizer",
        edit=lambda d, i: None if i else setattr(d, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    ),
    Case(
        "secondary capture among the slices",
        "reconstructed",
        "left out 1 x Secondary Capture Image Storage",
        edit=lambda d, i: None if i else setattr(d, "SOPClassUID", uid.SecondaryCaptureImageStorage),
    ),
    Case(
        "dual energy: virtual monoenergetic, in HU",
        "reconstructed",
        edit=put(ImageType=["DERIVED", "PRIMARY", "AXIAL", "VMI"], RescaleType="HU"),
    ),
    Case(
        "rescale type US, unspecified",
        "reconstructed",
        "RescaleType US taken as HU",
        edit=put(RescaleType="US"),
    ),
    Case("slope and intercept of each slice's own", "reconstructed", edit=own_rescale),
    Case("negative rescale slope", "reconstructed", edit=negative_slope),
    Case("12 bits stored, signed", "reconstructed", edit=signed_12_bits),
    Case("overlay in the bits above the stored ones", "reconstructed", edit=overlay_bits),
    Case(
        "padding, named in the wrong VR",
        "reconstructed",
        "padding outside the field of view taken as air in 4 slices",
        edit=padded,
    ),
    Case("air measured below -1024 HU", "reconstructed", edit=air_below),
    Case(
        "padding value 0 in HU, as water has",
        "reconstructed",
        "PixelPaddingValue (0028,0120): 0 is a value of the body as well",
        edit=padded_as_water,
    ),
    Case(
        "no rescale intercept but 0: HU + 1024",
        "reconstructed",
        "no air: is it in HU?",
        edit=put(RescaleIntercept=0),
    ),
    Case(
        "lossy compressed before (LossyImageCompression 01 is passed on)",
        "reconstructed",
        edit=put(LossyImageCompression="01", LossyImageCompressionRatio=10),
    ),
    Case("name in UTF-8 (ISO_IR 192)", "reconstructed", edit=named("ISO_IR 192", "Müller^Ärzte=王^小东")),
    Case("name in GB18030", "reconstructed", edit=named("GB18030", "Wang^XiaoDong=王^小东")),
    Case(
        "name in Japanese (ISO 2022 IR 87)",
        "reconstructed",
        edit=named(["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ),
    Case(
        "name in Korean (ISO 2022 IR 149)",
        "reconstructed",
        edit=named(["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    ),
    Case("private tags (left out of the result)", "reconstructed", edit=private),
    Case("anonymised, identifiers missing", "reconstructed", edit=drop(*ANONYMOUS)),
    Case("anonymised, identifiers empty", "reconstructed", edit=put(**dict.fromkeys(ANONYMOUS[:9], ""))),
    Case(
        "de-identified: a FrameOfReferenceUID for each slice",
        "reconstructed",
        "4 FrameOfReferenceUIDs in 4 evenly spaced slices taken as one",
        edit=lambda d, i: setattr(d, "FrameOfReferenceUID", f"1.2.3.{i}"),
    ),
    Case("implicit VR little endian", "converted", arrange=rewritten(uid.ImplicitVRLittleEndian)),
    Case("explicit VR big endian", "converted", arrange=big_endian),
    Case("deflated", "converted", arrange=rewritten(uid.DeflatedExplicitVRLittleEndian)),
    Case("RLE", "converted", edit=compressed(uid.RLELossless)),
    Case("JPEG-LS lossless", "converted", edit=compressed(uid.JPEGLSLossless)),
    Case("JPEG 2000 lossless", "converted", edit=compressed(uid.JPEG2000Lossless)),
    Case("no preamble, no file meta group", "converted", arrange=bare),
    Case(
        "missing slice",
        "refused",
        "found a gap of 16 mm",
        arrange=remove_one,
    ),
    Case(
        "two slices at one position",
        "refused",
        "expected one slice a position; remove one of the two",
        edit=heights(0, 8, 8, 16),
    ),
    Case(
        "two kernels in a folder, two series",
        "refused",
        "found 2 series, expected one; choose with --series",
        edit=two_kernels,
    ),
    Case(
        "two kernels in one series",
        "refused",
        "ConvolutionKernel (0018,1210): found B40f, B70f in slices that lie between each other",
        edit=two_kernels_in_one,
    ),
    Case(
        "two contrast phases, half a step apart",
        "refused",
        "AcquisitionNumber (0020,0012): found 1, 2 in slices that lie between each other",
        edit=lambda d, i: put(AcquisitionNumber=1 + i % 2)(d, i),
    ),
    Case(
        "dual energy: two energies in one series",
        "refused",
        "KVP (0018,0060): found 80, 140 in slices that lie between each other, expected one acquisition",
        edit=two_energies,
    ),
    Case(
        "dual energy: material density",
        "refused",
        "RescaleType (0028,1054): found MGML, expected HU; choose a series in Hounsfield units",
        edit=put(RescaleType="MGML"),
    ),
    Case(
        "dual energy: effective atomic number",
        "refused",
        "RescaleType (0028,1054): found Z_EFF, expected HU; choose a series in Hounsfield units",
        edit=put(RescaleType="Z_EFF"),
    ),
    Case(
        "localizers only",
        "refused",
        "no CT slices found (left out 4 x localizer)",
        edit=put(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    ),
    Case(
        "mixed matrix",
        "refused",
        "Rows (0028,0010): found 256, expected 512",
        edit=put_one(Rows=256),
    ),
    Case(
        "mixed orientation",
        "refused",
        "separate the two stacks",
        edit=put_one(ImageOrientationPatient=[0.995, 0.0998749, 0, -0.0998749, 0.995, 0]),
    ),
    Case(
        "two patients in one series",
        "refused",
        "PatientID (0010,0020): found other",
        edit=put_one(PatientID="other"),
    ),
    Case(
        "two frames of reference",
        "refused",
        "positions in two frames of reference cannot be compared; separate the two",
        edit=lambda d, i: setattr(d, "FrameOfReferenceUID", f"1.2.3.{i // 2}"),
    ),
    Case(
        "colour",
        "refused",
        "SamplesPerPixel (0028,0002): found 3, expected one sample of MONOCHROME2",
        edit=put(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0),
    ),
    Case(
        "inverted (MONOCHROME1)",
        "refused",
        "found MONOCHROME1, expected one sample of MONOCHROME2",
        edit=put(PhotometricInterpretation="MONOCHROME1"),
    ),
    Case(
        "many frames in CT Image Storage",
        "refused",
        "NumberOfFrames (0028,0008): found a multi-frame CT of 3",
        edit=put(NumberOfFrames=3),
    ),
    Case(
        "Enhanced CT without its frames' groups",
        "refused",
        "PerFrameFunctionalGroupsSequence (5200,9230): found 0 items, expected one for each of 4 frames",
        arrange=enhanced_without_groups,
    ),
    Case(
        "signed values declared unsigned",
        "refused",
        "HU, expected at most 32767, where the widest CT scales end; check RescaleSlope",
        edit=unsigned,
    ),
    Case(
        "rescale slope 0",
        "refused",
        "RescaleSlope (0028,1053): found 0.0, expected a number other than 0",
        edit=put_one(RescaleSlope=0),
    ),
    Case(
        "no rescale intercept",
        "refused",
        "RescaleIntercept (0028,1052): found nothing, expected 1 finite number",
        edit=drop_one("RescaleIntercept"),
    ),
    Case(
        "no position",
        "refused",
        "ImagePositionPatient (0020,0032): found nothing, expected 3 finite numbers",
        edit=drop_one("ImagePositionPatient"),
    ),
    Case(
        "no pixel spacing",
        "refused",
        "PixelSpacing (0028,0030): found nothing, expected 2 finite numbers",
        edit=drop_one("PixelSpacing"),
    ),
    Case("file cut off", "refused", DAMAGED, arrange=cut_one),
)

if __name__ == "__main__":
    print("\n".join(case.row for case in CASES))  # noqa: T201
