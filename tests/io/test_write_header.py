"""What a derived slice takes over, what is new, and what it says of itself."""

from datetime import UTC, datetime, timedelta

import pydicom
import pytest
from pydicom.dataset import Dataset

from resample_ct.io.derivation import Derivation
from resample_ct.io.dicom_write import write_series
from resample_ct.io.read import read_study

CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def pairs(series, rewrite):
    """Source and derived header of each slice."""
    source = read_study(series(3))
    return list(zip(source.headers, read_study(rewrite(source)).headers, strict=True))


def test_the_series_is_new_and_one(pairs):
    uids = {new.SeriesInstanceUID for _, new in pairs}
    assert len(uids) == 1
    assert uids.isdisjoint({old.SeriesInstanceUID for old, _ in pairs})


def test_every_instance_is_new(pairs):
    new = {new.SOPInstanceUID for _, new in pairs}
    assert len(new) == 3
    assert new.isdisjoint({old.SOPInstanceUID for old, _ in pairs})
    assert all(new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID for _, new in pairs)


def test_writing_twice_makes_two_series(series, rewrite):
    source = read_study(series(1))
    assert read_study(rewrite(source, "one")).uid != read_study(rewrite(source, "two")).uid


def test_study_and_frame_of_reference_stay(pairs):
    for old, new in pairs:
        assert new.StudyInstanceUID == old.StudyInstanceUID
        assert new.FrameOfReferenceUID == old.FrameOfReferenceUID


def test_the_returned_uid_is_the_series_s(series, tmp_path, derivation):
    source = read_study(series(1))
    uid = write_series(source, source.volume.hu, source.grid, tmp_path / "out", derivation)
    assert read_study(tmp_path / "out").uid == uid


def test_the_series_and_instances_are_numbered_anew(pairs):
    assert {new.SeriesNumber for _, new in pairs} == {1003}
    assert [new.InstanceNumber for _, new in pairs] == [1, 2, 3]


def test_each_slice_refers_to_the_source_at_its_position(pairs):
    for old, new in pairs:
        (image,) = new.SourceImageSequence
        assert new.ImagePositionPatient == old.ImagePositionPatient
        assert image.ReferencedSOPClassUID == CT
        assert image.ReferencedSOPInstanceUID == old.SOPInstanceUID
        assert image.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
        (series,) = new.ReferencedSeriesSequence
        assert series.SeriesInstanceUID == old.SeriesInstanceUID
        assert series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == old.SOPInstanceUID


def test_the_file_is_explicit_little_endian_ct(derived):
    header = derived()
    assert header.SOPClassUID == header.file_meta.MediaStorageSOPClassUID == CT
    assert header.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert header.Modality == "CT"


def test_the_image_type_is_a_derived_cross_section(derived):
    assert derived().ImageType == ["DERIVED", "PRIMARY", "AXIAL", "RESAMPLE"]


def test_the_image_type_holds_only_what_a_code_string_may(series, tmp_path):
    source = read_study(series(1))
    derivation = Derivation("Pixel-space (ridge)", 25, "", "0")
    write_series(source, source.volume.hu, source.grid, tmp_path / "out", derivation)
    header = pydicom.dcmread(tmp_path / "out" / "0001.dcm")
    assert header.ImageType[3] == "PIXEL_SPACE _RID"


def test_the_derivation_is_described(derived, derivation):
    assert derived().DerivationDescription == derivation.description


def test_the_derivation_is_described_in_every_character_set(series, tmp_path):
    source = read_study(series(1))
    derivation = Derivation("ReSample", 25, "prior größe プ" + "x" * 2000, "0")
    write_series(source, source.volume.hu, source.grid, tmp_path / "out", derivation)
    text = pydicom.dcmread(tmp_path / "out" / "0001.dcm").DerivationDescription
    assert text == "prior gr??e ?" + "x" * 1011


def test_it_says_that_it_is_for_research_only(derived):
    header = derived(lambda dataset, index: setattr(dataset, "ImageComments", "movement"))
    assert header.ImageComments == "Derived image, for research only, not for diagnosis. movement"
    assert "(research)" in header.SeriesDescription


@pytest.mark.parametrize("source", ["", "x" * 64, "Thorax", ["two", "parts"]])
def test_the_description_fits_and_begins_with_what_it_is(derived, source):
    text = derived(lambda dataset, index: setattr(dataset, "SeriesDescription", source)).SeriesDescription
    assert len(text) <= 64
    told = "two parts" if isinstance(source, list) else source[:30]
    assert text.startswith(f"ReSample 25 views (research) {told}".strip())


def test_both_machines_contributed(derived):
    scanner, software = derived().ContributingEquipmentSequence
    assert (scanner.Manufacturer, scanner.ManufacturerModelName) == ("SIEMENS", "Sensation 10")
    assert scanner.SoftwareVersions == "syngo CT 2006G"
    assert scanner.PurposeOfReferenceCodeSequence[0].CodeValue == "109101"
    assert (software.Manufacturer, software.SoftwareVersions) == ("ReSample-CT", "0.1.0")
    assert software.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert software.ContributionDescription == "ReSample reconstruction"


def test_the_equipment_is_what_made_the_pixels(derived):
    header = derived(lambda dataset, index: setattr(dataset, "DeviceSerialNumber", "7"))
    assert (header.Manufacturer, header.ManufacturerModelName) == ("ReSample-CT", "resample-ct")
    assert header.SoftwareVersions == "0.1.0"
    assert "DeviceSerialNumber" not in header
    assert header.ConvolutionKernel == "RESAMPLE"


def test_deriving_twice_calls_no_software_a_scanner(series, rewrite):
    once = read_study(rewrite(read_study(series(1)), "once"))
    twice = read_study(rewrite(once, "twice")).headers[0]
    makers = [item.Manufacturer for item in twice.ContributingEquipmentSequence]
    purposes = [
        i.PurposeOfReferenceCodeSequence[0].CodeValue for i in twice.ContributingEquipmentSequence
    ]
    assert makers == ["SIEMENS", "ReSample-CT", "ReSample-CT"]
    assert purposes == ["109101", "109102", "109102"]
    assert twice.ImageComments == once.headers[0].ImageComments


def test_the_dates_are_of_now(derived):
    header, now = derived(), datetime.now()
    for moment in ("Series", "Content", "InstanceCreation"):
        text = header[f"{moment}Date"].value + header[f"{moment}Time"].value
        assert abs(datetime.strptime(text, "%Y%m%d%H%M%S.%f") - now) < timedelta(minutes=5)


def test_the_times_are_in_the_zone_that_the_header_names(derived):
    header = derived(lambda dataset, index: setattr(dataset, "TimezoneOffsetFromUTC", "+1345"))
    text = f"{header.SeriesDate}{header.SeriesTime}{header.TimezoneOffsetFromUTC}"
    made = datetime.strptime(text, "%Y%m%d%H%M%S.%f%z")
    assert abs(made - datetime.now(UTC)) < timedelta(minutes=5)


def test_pixels_are_described_as_they_are(derived):
    header = derived()
    assert (header.BitsAllocated, header.BitsStored, header.HighBit) == (16, 12, 11)
    assert (header.RescaleSlope, header.RescaleIntercept, header.RescaleType) == (1, -1024, "HU")
    assert (header.SamplesPerPixel, header.PhotometricInterpretation) == (1, "MONOCHROME2")


def test_the_source_s_window_is_kept(derived):
    header = derived()
    assert (header.WindowCenter, header.WindowWidth) == ([40, -600], [350, 1200])


@pytest.mark.parametrize("value", [None, ""])
def test_a_source_without_a_window_gets_one(derived, value):
    header = derived(lambda dataset, index: setattr(dataset, "WindowCenter", value))
    assert (header.WindowCenter, header.WindowWidth) == (40, 400)
    assert "WindowCenterWidthExplanation" not in header


def test_statements_about_the_source_s_pixels_are_gone(derived):
    def edit(dataset, index):
        dataset.add_new("SmallestPixelValueInSeries", "US", 0)
        dataset.IconImageSequence = [Dataset()]
        dataset.ContentQualification = "PRODUCT"
        dataset.InstanceCreatorUID = "1.2.3"
        dataset.SOPInstanceStatus = "AO"
        dataset.PixelAspectRatio = [1, 1]

    header = derived(edit)
    for keyword in (
        "SmallestImagePixelValue",
        "LargestImagePixelValue",
        "SmallestPixelValueInSeries",
        "IconImageSequence",
        "ContentQualification",
        "InstanceCreatorUID",
        "SOPInstanceStatus",
        "PixelAspectRatio",
        "PresentationIntentType",
    ):
        assert keyword not in header


def test_private_overlay_curve_and_group_length_elements_are_gone(derived):
    def edit(dataset, index):
        inner = Dataset()
        inner.add_new((0x0011, 0x0010), "LO", "VENDOR")
        inner.add_new((0x0011, 0x1001), "LO", "secret")
        inner.CodeMeaning = "kept"
        dataset.ProcedureCodeSequence = [inner]
        dataset.add_new((0x6000, 0x0010), "US", 512)
        dataset.add_new((0x6000, 0x3000), "OW", bytes(512 * 512 // 8))
        dataset.add_new((0x5000, 0x0005), "US", 2)
        dataset.add_new((0x0008, 0x0000), "UL", 4)

    header = derived(edit)
    assert header.ProcedureCodeSequence[0].CodeMeaning == "kept"
    for element in header.iterall():
        assert not element.tag.is_private
        assert element.tag.element != 0
        assert element.tag.group & 0xFF00 not in (0x5000, 0x6000)


@pytest.mark.parametrize(("source", "result"), [("YES", "YES"), ("NO", "NO"), (None, "NO")])
def test_burned_in_text_is_owned_up_to(derived, source, result):
    header = derived(lambda dataset, index: setattr(dataset, "BurnedInAnnotation", source))
    assert header.BurnedInAnnotation == result


def test_lossy_compression_is_never_forgotten(derived):
    def edit(dataset, index):
        dataset.LossyImageCompression, dataset.LossyImageCompressionRatio = "01", 10

    header = derived(edit)
    assert (header.LossyImageCompression, header.LossyImageCompressionRatio) == ("01", 10)
