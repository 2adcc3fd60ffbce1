"""A run with --deidentify: no output holds anything that names the patient."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from resample_ct.errors import StudyError
from resample_ct.io.deidentify import SECRET_VARIABLE
from resample_ct.io.identity_guard import MARKER
from resample_ct.io.read import read_study
from resample_ct.physics.sinogram_file import write_sinogram
from resample_ct.run import pipeline
from resample_ct.run.job import Job
from resample_ct.run.simulate import simulate
from resample_ct.run.simulated_scan import SimulatedScan
from resample_ct.values.units import Window

WORDS = ("ZEBRA", "QUOKKA", "19570213", "20070425")


def name(dataset, index):
    dataset.PatientName, dataset.PatientID = "ZEBRA^Jane", "QUOKKA-7"
    dataset.PatientBirthDate, dataset.AccessionNumber = "19570213", "QUOKKA-8"
    dataset.InstitutionName, dataset.StationName = "ZEBRA hospital", "QUOKKA"
    dataset.SeriesDescription, dataset.StudyDescription = "Thorax of ZEBRA", "QUOKKA"
    dataset.PatientComments = dataset.ImageComments = "ZEBRA"
    dataset.DeviceSerialNumber, dataset.PatientIdentityRemoved = "QUOKKA-9", "NO"
    dataset.private_block(0x11, "ZEBRA", create=True).add_new(1, "LO", "QUOKKA")


@pytest.fixture
def source(series):
    return series(3, name, "ZEBRA_Jane")


@pytest.fixture
def job(source, tmp_path):
    return Job(source, tmp_path / "out", methods=("fbp",), batch=2, deidentify=True)


def _plain(path):
    """A file's bytes, with what is compressed in it unpacked."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
        try:
            content += zlib.decompress(stream)
        except zlib.error:
            continue
    return content


def test_no_file_and_no_name_of_one_holds_the_patient(job, source):
    pipeline.reconstruct(job, resume=False)
    study = read_study(source)
    uids = {str(e.value) for h in study.headers for e in h.iterall() if e.VR == "UI"}
    uids = {uid for uid in uids if not uid.startswith("1.2.840.10008.")}
    files = [path for path in job.out.rglob("*") if path.is_file()]
    assert len(files) == 11
    # Who has the images could hash them, and know whose result this is.
    assert study.sha256() not in (job.out / "run.json").read_text()
    for path in files:
        content = _plain(path)
        for word in (*WORDS, *uids):
            assert word.encode() not in content, (path.name, word)
        assert "ZEBRA" not in str(path.relative_to(job.out))


def test_without_it_the_same_search_finds_the_patient(job):
    pipeline.reconstruct(replace(job, deidentify=False), resume=False)
    found = {path.name for path in job.out.rglob("*") if path.is_file() and b"ZEBRA" in _plain(path)}
    assert found >= {"0001.dcm", "report.dcm", "run.json", "metrics.csv", "metrics.json"}


def test_all_objects_stay_in_one_study_and_refer_to_the_same_new_source(job):
    pipeline.reconstruct(job, resume=False)
    objects = [pydicom.dcmread(path) for path in sorted((job.out / "dicom").rglob("*.dcm"))]
    assert len({made.StudyInstanceUID for made in objects}) == 1
    assert all(made.PatientIdentityRemoved == "YES" for made in objects)
    slices = [made for made in objects if made.Modality == "CT"]
    (report,) = [made for made in objects if made.Modality == "DOC"]
    sources = {made.SourceImageSequence[0].ReferencedSOPInstanceUID for made in slices}
    assert len(sources) == 3
    assert sources <= {item.ReferencedSOPInstanceUID for item in report.SourceInstanceSequence}
    assert report.BurnedInAnnotation == "NO"


def test_the_secret_decides_the_uids(job, monkeypatch):
    studies = []
    for place, secret in enumerate(("one", "one", "two", "")):
        monkeypatch.setenv(SECRET_VARIABLE, secret)
        out = job.out.with_name(f"out{place}")
        pipeline.reconstruct(replace(job, out=out), resume=False)
        studies.append(read_study(out / "dicom" / "fbp").headers[0].StudyInstanceUID)
    assert studies[0] == studies[1]
    assert len(set(studies)) == 3


def test_voxels_and_places_are_those_of_the_identified_run(job):
    pipeline.reconstruct(job, resume=False)
    named = replace(job, deidentify=False, out=job.out.with_name("named"))
    pipeline.reconstruct(named, resume=False)
    ours, theirs = (read_study(folder / "dicom" / "fbp") for folder in (job.out, named.out))
    np.testing.assert_array_equal(ours.volume.hu, theirs.volume.hu)
    np.testing.assert_array_equal(ours.grid.positions, theirs.grid.positions)


def test_a_sinogram_s_headers_are_cleaned_too(job, source, tmp_path):
    sinogram, _ = simulate(read_study(source), range(3), SimulatedScan(noise="none"), 0, Window())
    write_sinogram(sinogram, tmp_path / "scan.h5")
    pipeline.reconstruct(replace(job, source=tmp_path / "scan.h5", sigma=0.01), resume=False)
    for path in (job.out / "dicom").rglob("*.dcm"):
        assert b"ZEBRA" not in path.read_bytes()


def test_a_folder_for_research_takes_only_the_de_identified(job, tmp_path):
    folder = tmp_path / "research"
    folder.mkdir()
    (folder / MARKER).touch()
    job = replace(job, out=folder / "out")
    with pytest.raises(StudyError, match="marked for research"):
        pipeline.reconstruct(replace(job, deidentify=False), resume=False)
    assert [path.name for path in folder.iterdir()] == [MARKER]
    pipeline.reconstruct(job, resume=False)
    assert (job.out / "run.json").exists()
