"""The whole way: study or sinogram in, folder of results out, resumable."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pydicom
import pytest

from resample_ct.errors import OptionError, StudyError
from resample_ct.io.read import read_study
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sinogram_file import read_sinogram, write_sinogram
from resample_ct.reconstruct.resample_settings import settings_from
from resample_ct.reconstruct.start import TVStart
from resample_ct.run import outputs, pipeline
from resample_ct.run.job import Job
from resample_ct.run.simulate import simulate
from resample_ct.run.simulated_scan import SimulatedScan
from resample_ct.values.units import Window

FIGURES = {"psnr", "ssim", "rmse_hu", "residual", "seconds"}
TRUST = {
    "misfit_share",
    "prior_gap_hu",
    "rays_per_pixel",
    "spread_hu",
    "missing_arc_degrees",
    "unseen_share",
    "doubt",
}
KEYS = {"method", "study", "slice", "iterations", "stopped"} | FIGURES | TRUST
QUICK = settings_from(
    "fast",
    [
        *("steps=2", "pixel=piccs:0.5,2", "final=piccs:0.5,2", "final_latent_iterations=2"),
        "start_estimate=tv",
    ],
)


@pytest.fixture
def job(sample_series, tmp_path):
    return Job(sample_series, tmp_path / "out", methods=("fbp", "cgls"), slices="3:8", batch=2)


def voxels(folder, method="fbp"):
    return np.asarray(nib.load(folder / f"{method}.nii.gz").dataobj)


@pytest.fixture(scope="module")
def finished(sample_series, tmp_path_factory):
    """The same job, run once for all that only read its results."""
    out = tmp_path_factory.mktemp("finished") / "out"
    job = Job(sample_series, out, methods=("fbp", "cgls"), slices="3:8", batch=2)
    pipeline.reconstruct(job, resume=False)
    return job


def test_folder_holds_everything_that_was_promised(finished):
    assert sorted(p.name for p in finished.out.iterdir()) == [
        "cgls.nii.gz",
        "dicom",
        "fbp.nii.gz",
        "metrics.csv",
        "metrics.json",
        "montage.png",
        "run.json",
        "truth.nii.gz",
        "view.html",
    ]
    records = json.loads((finished.out / "metrics.json").read_text())
    assert [(r["method"], r["slice"]) for r in records] == [
        (m, s) for m in finished.methods for s in range(3, 8)
    ]
    assert all(set(r) == KEYS for r in records)
    assert all(20 < r["psnr"] < 40 and 0 < r["ssim"] < 1 for r in records)
    run = json.loads((finished.out / "run.json").read_text())
    assert run["source"]["sha256"] == read_study(finished.source).select(range(3, 8)).sha256()
    assert run["job"]["seed"] == 0 and run["versions"]["torch"] and run["peak_memory_mb"] > 0
    assert len((finished.out / "metrics.csv").read_text().splitlines()) == 1 + len(records)


def test_dicom_and_nifti_hold_the_same_patient_at_the_same_place(finished):
    source = read_study(finished.source).select(range(3, 8))
    for method in finished.methods:
        derived = read_study(finished.out / "dicom" / method)
        assert [h.PatientID for h in derived.headers] == [h.PatientID for h in source.headers]
        assert [h.SourceImageSequence[0].ReferencedSOPInstanceUID for h in derived.headers] == [
            h.SOPInstanceUID for h in source.headers
        ]
        image = read_study(finished.out / f"{method}.nii.gz")
        assert np.allclose(image.grid.affine, derived.grid.affine, atol=1e-4)
        assert np.abs(image.volume.hu - derived.volume.hu).max() <= 0.5
    centre = source.grid.affine @ [255.5, 255.5, 2, 1]
    assert np.allclose(derived.grid.affine @ [127.5, 127.5, 2, 1], centre, atol=1e-4)
    assert "25 parallel-beam views" in derived.headers[0].DerivationDescription


def test_series_of_one_run_have_numbers_and_names_of_their_own(job):
    pipeline.reconstruct(replace(job, slices="3"), resume=False)
    headers = [pydicom.dcmread(path) for path in (job.out / "dicom").rglob("*.dcm")]
    assert len({h.SeriesInstanceUID for h in headers}) == len(headers) == 3  # the report's is one
    assert len({h.SeriesNumber for h in headers}) == len({h.SeriesDescription for h in headers}) == 3


def interrupted(job, after, monkeypatch):
    """Run a job and stop it, as Ctrl-C does, when `after` batches are done."""
    count = 0
    save = pipeline.BatchFiles.save

    def stop(self, *arguments):
        nonlocal count
        save(self, *arguments)
        count += 1
        if count == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.BatchFiles, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            pipeline.reconstruct(job, resume=False)


@pytest.fixture(scope="module")
def whole(sample_series, tiny_bundle, tmp_path_factory):
    """A job of two methods and two batches each, run without a stop."""
    out = tmp_path_factory.mktemp("whole") / "out"
    methods = {"methods": ("fbp", "resample"), "bundles": {"prior": tiny_bundle}, "settings": QUICK}
    job = Job(sample_series, out, slices="3:6", batch=2, **methods)
    pipeline.reconstruct(job, resume=False)
    return job


@pytest.mark.parametrize("after", [1, 3, 4])
def test_resumed_run_gives_the_same_bits(whole, tmp_path, monkeypatch, after):
    job = replace(whole, out=tmp_path / "out")
    interrupted(job, after, monkeypatch)
    assert not job.out.exists()
    pipeline.reconstruct(job, resume=True)
    for method in job.methods:
        assert np.array_equal(voxels(job.out, method), voxels(whole.out, method))
    records = [json.loads((f / "metrics.json").read_text()) for f in (job.out, whole.out)]
    assert [r["psnr"] for r in records[0]] == [r["psnr"] for r in records[1]]


def test_run_stopped_while_it_wrote_can_be_resumed(job, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(outputs, "write_tables", stop)
        with pytest.raises(KeyboardInterrupt):
            pipeline.reconstruct(job, resume=False)
    assert not job.out.exists()
    pipeline.reconstruct(job, resume=True)
    assert (job.out / "run.json").exists()
    assert list(job.out.parent.iterdir()) == [job.out]


def test_resume_refuses_other_options_and_a_new_run_the_leftovers(job, monkeypatch):
    interrupted(job, 1, monkeypatch)
    with pytest.raises(OptionError, match="left by an interrupted run"):
        pipeline.reconstruct(job, resume=False)
    with pytest.raises(OptionError, match="other options"):
        pipeline.reconstruct(replace(job, seed=5), resume=True)


def test_resume_refuses_slices_that_changed(job, series, monkeypatch):
    job = replace(job, source=series(4), slices="1:4", batch=1)
    interrupted(job, 1, monkeypatch)
    path = sorted(job.source.iterdir())[2]
    dataset = pydicom.dcmread(path)
    pixels = dataset.pixel_array.copy()
    pixels[100, 100] += 1
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(path)
    with pytest.raises(OptionError, match="other options, weights or slices"):
        pipeline.reconstruct(job, resume=True)


@pytest.mark.parametrize(
    "change",
    [
        {"noise_sigma": np.full(2, 0.02)},
        {"geometry": replace(ParallelBeam.uniform(256, 25), detector_spacing=0.99)},
    ],
    ids=str,
)
def test_resume_refuses_a_measurement_that_was_corrected(job, tmp_path, monkeypatch, change):
    path = tmp_path / "measured.h5"
    sinogram, _ = simulate(read_study(job.source), [3, 4], SimulatedScan(), 0, Window())
    write_sinogram(sinogram, path)
    job = replace(job, source=path, slices=None, batch=1)
    interrupted(job, 1, monkeypatch)
    path.unlink()
    write_sinogram(replace(sinogram, **change), path)
    with pytest.raises(OptionError, match="other options, weights or slices"):
        pipeline.reconstruct(job, resume=True)
    path.unlink()
    write_sinogram(sinogram, path)
    pipeline.reconstruct(job, resume=True)


@pytest.mark.slow
def test_every_method_of_the_latent_prior_is_judged(job, tiny_bundle):
    job = replace(job, methods=("fbp", "psld"), bundles={"prior": tiny_bundle}, slices="3")
    pipeline.reconstruct(job, resume=False)
    fbp, psld = json.loads((job.out / "metrics.json").read_text())
    assert fbp["doubt"] is None and "can express" in psld["doubt"]


def test_existing_folder_is_never_touched(job):
    job.out.mkdir()
    with pytest.raises(OptionError, match=r"--out .*exists"):
        pipeline.reconstruct(job, resume=False)
    assert list(job.out.iterdir()) == []


@pytest.mark.parametrize(
    "change, told",
    [
        ({"noise": "salt:1"}, "--noise salt:1"),
        ({"slices": "40:50"}, "--slices 40:50"),
        ({"methods": ("magic",)}, "--method magic"),
    ],
)
def test_wrong_options_leave_nothing_behind(job, change, told):
    with pytest.raises(OptionError, match=told):
        pipeline.reconstruct(replace(job, **change), resume=False)
    assert list(job.out.parent.iterdir()) == []


def test_no_ct_leaves_nothing_behind(job, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(StudyError, match="no CT slices found"):
        pipeline.reconstruct(replace(job, source=empty), resume=False)
    assert list(tmp_path.iterdir()) == [empty]


def test_slice_is_the_same_whichever_others_are_chosen(finished, tmp_path):
    alone = replace(finished, slices="5", out=tmp_path / "alone")
    pipeline.reconstruct(alone, resume=False)
    assert np.allclose(voxels(finished.out)[..., 2], voxels(alone.out)[..., 0], atol=0.1)


def test_sinogram_file_gives_what_the_study_gave(finished, tmp_path):
    path = tmp_path / "measured.h5"
    sinogram, _ = simulate(
        read_study(finished.source), range(3, 8), finished.scan, finished.seed, Window()
    )
    write_sinogram(sinogram, path)
    measured = replace(finished, source=path, slices=None, out=tmp_path / "measured")
    pipeline.reconstruct(measured, resume=False)
    assert np.array_equal(voxels(finished.out), voxels(measured.out))
    ours, theirs = (read_study(f / "dicom" / "fbp").headers for f in (measured.out, finished.out))
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "ImagePositionPatient"):
        assert [h[keyword].value for h in ours] == [h[keyword].value for h in theirs]
    records = json.loads((measured.out / "metrics.json").read_text())
    assert all(r["psnr"] is None and r["residual"] >= 0 for r in records)


def test_sinogram_without_noise_is_read_with_an_estimate(job, tmp_path):
    path = tmp_path / "measured.h5"
    sinogram, _ = simulate(read_study(job.source), [3], SimulatedScan(noise="none"), 0, Window())
    write_sinogram(replace(sinogram, noise_sigma=None), path)
    assert read_sinogram(path).noise_sigma is None
    notes = pipeline.reconstruct(replace(job, source=path, slices=None), resume=False)
    assert any(note.startswith("noise: not stated, estimated as 0.0") for note in notes)


def test_nifti_study_gives_a_dicom_series(finished, tmp_path):
    nifti = replace(finished, source=finished.out / "fbp.nii.gz", slices=None, out=tmp_path / "again")
    pipeline.reconstruct(nifti, resume=False)
    header = pydicom.dcmread(next((nifti.out / "dicom" / "cgls").iterdir()))
    assert header.ImageType[0] == "DERIVED" and header.PatientID == ""


@pytest.mark.parametrize("noise", ["none", "gaussian:1%", "poisson:1e6"])
def test_every_noise_model_runs(job, noise):
    pipeline.reconstruct(replace(job, noise=noise, slices="5", methods=("tv",)), resume=False)
    (record,) = json.loads((job.out / "metrics.json").read_text())
    assert record["psnr"] > 25


def test_pixels_that_the_prior_never_saw_are_noted(job, tiny_bundle, tmp_path):
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    path = bundle / "configs" / "metadata.json"
    content = json.loads(path.read_text())
    content["resample_ct"]["spacing_mm"] = [0.2, 0.4]
    path.write_text(json.dumps(content))
    job = replace(job, methods=("resample",), bundles={"prior": bundle}, settings=QUICK, slices="3")
    notes = pipeline.reconstruct(job, resume=False)
    assert any("prior tiny was trained on pixels of 0.2 to 0.4 mm" in note for note in notes)
    # Random weights express no slice at all.
    assert any("resample: the prior is not to be trusted on 1 of 1 slices (3)" in note for note in notes)
    (record,) = json.loads((job.out / "metrics.json").read_text())
    assert "can express" in record["doubt"] and record["prior_gap_hu"] > 100
    assert json.loads((job.out / "run.json").read_text())["notes"] == notes


def test_several_samples_give_an_uncertainty_map_at_the_same_place(job, tiny_bundle):
    settings = replace(QUICK, samples=2, start=TVStart(30))
    job = replace(
        job, methods=("fbp", "resample"), bundles={"prior": tiny_bundle}, settings=settings, slices="3:5"
    )
    pipeline.reconstruct(replace(job, spread_series=True), resume=False)
    image = read_study(job.out / "resample.nii.gz").volume
    # No study of HU, so that read_study refuses it.
    written = nib.load(job.out / "resample-spread.nii.gz")
    spread = np.asarray(written.dataobj).T
    series = read_study(job.out / "dicom" / "resample-spread").volume
    assert np.allclose(written.affine, nib.load(job.out / "resample.nii.gz").affine) and spread.min() > 0
    assert np.abs(series.hu - spread).max() <= 1 / 32
    made = pydicom.dcmread(job.out / "dicom" / "resample-spread.dcm")
    assert made.SOPClassUID.name == "Parametric Map Storage"
    assert made.PatientID == read_study(job.source).headers[0].PatientID
    frames = np.frombuffer(made.FloatPixelData, np.float32).reshape(spread.shape)
    places = [
        f.PlanePositionSequence[0].ImagePositionPatient for f in made.PerFrameFunctionalGroupsSequence
    ]
    for frame, place in zip(frames, places, strict=True):
        distances = np.linalg.norm(image.grid.positions - np.asarray(place, float), axis=1)
        assert distances.min() < 1e-3
        assert np.allclose(frame, spread[distances.argmin()], rtol=1e-6)
    run = json.loads((job.out / "run.json").read_text())
    assert run["series"]["resample-spread"] == made.SeriesInstanceUID
    assert {p.name for p in (job.out / "dicom").iterdir()} == {
        *("fbp", "resample", "resample-spread", "resample-spread.dcm", "report.dcm")
    }


def test_precision_reaches_the_networks_and_the_record(job, tiny_bundle):
    changed = replace(
        job,
        methods=("resample",),
        bundles={"prior": tiny_bundle},
        slices="3",
        settings=settings_from("general", ["steps=2", "pixel=ridge:0.04,2", "final=none"]),
    )
    pipeline.reconstruct(changed, resume=False)
    rounded = replace(changed, out=job.out.with_name("rounded"), precision="bfloat16")
    pipeline.reconstruct(rounded, resume=False)
    assert json.loads((rounded.out / "run.json").read_text())["job"]["precision"] == "bfloat16"
    assert not np.array_equal(voxels(rounded.out, "resample"), voxels(changed.out, "resample"))
