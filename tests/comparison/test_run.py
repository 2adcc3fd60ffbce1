"""The whole comparison: options in, folder with report out, resumable."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from cards import STATED
from laws import fill_zero_weights
from pydicom.uid import generate_uid

from resample_ct.bundles.bundle import half_precision, write_bundle
from resample_ct.bundles.pixel_prior import PixelPriorCard
from resample_ct.comparison import run
from resample_ct.comparison.conditions import Comparison
from resample_ct.errors import OptionError, PriorError
from resample_ct.io.read import read_study
from resample_ct.io.study import Study
from resample_ct.networks.pixel_unet import PixelUNetSettings
from resample_ct.physics.sinogram_file import write_sinogram
from resample_ct.reconstruct.resample_settings import settings_from
from resample_ct.run.job import Job
from resample_ct.run.networks import Models
from resample_ct.run.outputs import BatchFiles
from resample_ct.run.simulate import simulate
from resample_ct.run.simulated_scan import SimulatedScan
from resample_ct.values.units import Window

QUICK = settings_from("fast", ["steps=2", "pixel=piccs:0.5,2", "final=piccs:0.5,2", "start=none"])


@pytest.fixture
def comparison(sample_series, tmp_path):
    common = Job(sample_series, tmp_path / "out", methods=("fbp", "cgls"), slices="11:13", batch=1)
    return Comparison(common, (sample_series,))


@pytest.fixture(scope="module")
def finished(sample_series, tmp_path_factory):
    """The same comparison with lesions, run once for all that only read its results."""
    out = tmp_path_factory.mktemp("comparison") / "out"
    common = Job(sample_series, out, methods=("fbp", "cgls"), slices="11:13", batch=1)
    comparison = Comparison(common, (sample_series,), lesions=True)
    run.compare(comparison, resume=False)
    return comparison


def results(comparison):
    return json.loads((comparison.common.out / "results.json").read_text())


def without_times(found):
    """Results but for seconds and memory, which no seed gives twice."""
    text = re.sub(r'"(seconds|peak_memory_mb)": (\{[^}]*\}|[\d.e-]+)', "", json.dumps(found))
    return re.sub(r'"out": "[^"]*"', "", text)


def test_every_method_meets_every_slice_under_every_condition(comparison):
    comparison = replace(comparison, noises=("gaussian:0.01", "poisson:1e5"), angles=(25, 10))
    assert run.compare(comparison, resume=False) == []
    assert sorted(p.name for p in comparison.common.out.iterdir()) == [
        "report.html",
        "results.csv",
        "results.json",
    ]
    found = results(comparison)
    met = [(r["noise"], r["angles"], r["method"], r["slice"]) for r in found["records"]]
    assert met == [
        (noise, views, method, place)
        for noise in comparison.noises
        for views in comparison.angles
        for method in ("fbp", "cgls")
        for place in (11, 12)
    ]
    with (comparison.common.out / "results.csv").open(newline="") as file:
        assert [float(r["psnr"]) for r in csv.DictReader(file)] == [r["psnr"] for r in found["records"]]
    assert all(r["peak_memory_mb"] > 0 and r["seconds"] > 0 for r in found["records"])


def test_summary_is_mean_and_deviation_over_the_slices(finished):
    found = results(finished)
    row = found["summary"][0]
    psnr = [r["psnr"] for r in found["records"][:2]]
    assert row["method"] == "fbp" and row["condition"] == "study1-noise1-views25"
    assert row["psnr"] == {"mean": pytest.approx(np.mean(psnr)), "std": pytest.approx(np.std(psnr))}
    better = {r["method"]: r for r in found["summary"]}
    assert better["cgls"]["body_rmse_hu"]["mean"] < better["fbp"]["body_rmse_hu"]["mean"]


def test_body_error_and_tissue_errors_are_of_the_same_pixels_as_their_names_say(finished):
    found = results(finished)
    rows = [t for t in found["tissues"] if t["method"] == "cgls"]
    assert {t["tissue"] for t in rows} == {"air", "lung", "fat", "soft tissue", "bone"}
    assert sum(t["pixels"] for t in rows) < 2 * 256 * 256
    # Smoothing fills the lungs and takes from the bones.
    mean = {t["tissue"]: t["mean_hu"] for t in rows}
    assert mean["lung"] > 0 > mean["bone"]


def test_report_is_one_file_that_asks_for_nothing(finished):
    text = (finished.common.out / "report.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:image/(?:png|webp);base64,|#)', text) == []
    assert "url(" not in text and "@import" not in text and "<link" not in text
    # Plots, histograms and lesions; of each of two slices lung, soft tissue, detail, error and residual.
    assert text.count("data:image/png;base64,") == 3
    assert text.count("data:image/webp;base64,") == 2 * (3 * 3 + 2 * 2)
    assert text.count("for research only, not for diagnosis") == 2
    assert "LPIPS" in text and "sha256" not in text


def test_weights_and_seed_are_named(comparison, tiny_bundle):
    common = replace(
        comparison.common, methods=("resample",), bundles={"prior": tiny_bundle}, settings=QUICK, seed=7
    )
    notes = run.compare(replace(comparison, common=common), resume=False)
    found = results(comparison)
    text = (common.out / "report.html").read_text()
    sha256 = found["models"]["prior"]["sha256"]
    assert len(sha256) == 64 and sha256 in text and "<td>Seed</td>" in text
    # Random weights express no slice at all.
    assert found["summary"][0]["doubted"] == 2
    assert any("resample: the prior is not to be trusted on 2 of 2 slices" in note for note in notes)
    assert "can express" in text
    (told,) = re.findall("preset balanced, ([^<]*)<", text.replace("&#39;", "'"))
    assert "start=none" in told and settings_from("balanced", told.split(", ")) == QUICK


def test_settings_of_resample_are_told_only_where_it_takes_part(finished):
    facts = (finished.common.out / "report.html").read_text().partition('id="run"')[2]
    assert "ReSample: preset" not in facts and "preset balanced" not in facts.partition("</code>")[2]


def test_uncertainty_map_is_held_against_the_error(comparison, tiny_bundle):
    settings = replace(QUICK, samples=2)
    common = replace(
        comparison.common, methods=("fbp", "resample"), bundles={"prior": tiny_bundle}, settings=settings
    )
    run.compare(replace(comparison, common=common), resume=False)
    (row,) = results(comparison)["coverage"]
    assert row["method"] == "resample" and 20_000 < row["pixels"] <= 2 * 256**2
    assert 0 < row["within"]["1"] <= row["within"]["2"] <= row["within"]["3"] <= 1
    records = [r for r in results(comparison)["records"] if r["method"] == "resample"]
    assert all(r["spread_hu"] > 0 for r in records)
    # The air around the patient has part in the slice's error and spread, and next to none of either.
    assert row["rms_error_hu"] > np.mean([r["rmse_hu"] for r in records])
    text = (common.out / "report.html").read_text()
    assert "Uncertainty maps" in text and text.count("Uncertainty: expected standard deviation</th>") == 2


def test_series_are_chosen_study_by_study(comparison, series, tmp_path):
    other = generate_uid()

    def of_another_series(dataset, index):
        dataset.SeriesInstanceUID = other
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()

    both = shutil.copytree(series(3), tmp_path / "both")
    shutil.copytree(series(3, of_another_series, name="other"), both / "other")
    common = replace(comparison.common, slices="1", methods=("fbp",))
    comparison = Comparison(common, (both, tmp_path / "other"), series=(other, ""))
    run.compare(comparison, resume=False)
    first, second = (c["source"] for c in results(comparison)["conditions"])
    assert first["series"] == second["series"] == other and first["sha256"] == second["sha256"]
    with pytest.raises(OptionError, match="--series: found 1 for 2 studies, expected one for each"):
        Comparison(common, (both, tmp_path / "other"), series=(other,))


def test_series_of_one_folder_are_compared_each_once(comparison, series):
    both, other = series(3), generate_uid()

    def of_another_series(dataset, index):
        dataset.SeriesInstanceUID = other
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()

    first = read_study(both).uid
    shutil.copytree(series(3, of_another_series, name="other"), both / "other")
    common = replace(comparison.common, slices="1", methods=("fbp",))
    run.compare(Comparison(common, (both, both), series=(first, other)), resume=False)
    compared = [c["source"]["series"] for c in results(replace(comparison, common=common))["conditions"]]
    assert compared == [first, other]
    with pytest.raises(OptionError, match="each once"):
        Comparison(common, (both, both), series=(other, other))


def test_de_identified_study_is_one_series_under_every_condition(comparison):
    common = replace(comparison.common, deidentify=True)
    run.compare(replace(comparison, common=common, angles=(25, 10)), resume=False)
    first, second = (c["source"] for c in results(comparison)["conditions"])
    assert first == second and first["sha256"] is None


@pytest.mark.slow
def test_network_on_views_that_it_was_not_trained_for_runs_with_a_caution(comparison):
    # ReSample from pure noise has nothing of FBP-UNet.
    common = replace(comparison.common, methods=("fbp-unet", "resample"), settings=QUICK, slices="12")
    notes = run.compare(replace(comparison, common=common, angles=(25, 10)), resume=False)
    found = results(comparison)
    conditions = [row["condition"][-7:] for row in found["summary"] if row["method"] == "fbp-unet"]
    assert conditions == ["views25", "views10"]
    (note,) = [note for note in notes if "FBP-UNet" in note]
    assert note.startswith("study1-noise1-views10: 10 views") and "trained for 25 views" in note
    assert note.endswith("; FBP-UNet runs outside of that")
    assert note.partition(": ")[2] in (common.out / "report.html").read_text()


def test_lesions_are_counted(finished):
    found = results(finished)["lesions"]
    assert [r["method"] for r in found["summary"]] == ["fbp", "cgls"]
    for row in found["summary"]:
        assert 0 <= row["survived"] <= row["inserted"] == sum(k["inserted"] for k in row["kinds"])
        assert row["inserted"] >= 8
    fbp, cgls = (
        [
            (r["condition"], r["slice"], r["row"], r["column"])
            for r in found["records"]
            if r["method"] == m
        ]
        for m in ("fbp", "cgls")
    )
    assert fbp == cgls


def test_resumed_run_gives_the_same_figures(comparison, finished, monkeypatch):
    comparison = replace(comparison, lesions=True)
    saved = 0
    save = BatchFiles.save

    def stop(self, *arguments):
        nonlocal saved
        save(self, *arguments)
        saved += 1
        if saved == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BatchFiles, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            run.compare(comparison, resume=False)
    assert not comparison.common.out.exists()
    with pytest.raises(OptionError, match="left by an interrupted run"):
        run.compare(comparison, resume=False)
    with pytest.raises(OptionError, match="other options"):
        run.compare(replace(comparison, lesions=False), resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(Models, "record", lambda self: {"prior": {"name": "x", "sha256": "trained again"}})
        with pytest.raises(OptionError, match="other options, weights or slices"):
            run.compare(comparison, resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(Study, "sha256", lambda self: "exported again")
        with pytest.raises(OptionError, match="other options, weights or slices"):
            run.compare(comparison, resume=True)
    run.compare(comparison, resume=True)
    assert without_times(results(comparison)) == without_times(results(finished))


@pytest.fixture
def pixel_bundle(tmp_path):
    """A pixel prior of very small networks."""
    unet = PixelUNetSettings(channels=(8, 8, 8, 8), head_channels=8, norm_groups=4)
    card = PixelPriorCard(**STATED, unet=unet)
    write_bundle(tmp_path / "pixel", card, {"unet": half_precision(fill_zero_weights(unet.build()))})
    return tmp_path / "pixel"


@pytest.mark.slow
def test_method_that_refuses_a_condition_is_a_gap_with_its_reason(comparison, pixel_bundle):
    common = replace(
        comparison.common, methods=("ddrm", "fbp"), bundles={"pixel-prior": pixel_bundle}, slices="12"
    )
    notes = run.compare(replace(comparison, common=common, angles=(100,)), resume=False)
    found = results(comparison)
    assert [row["method"] for row in found["summary"]] == ["fbp"]
    (condition,) = found["conditions"]
    reason = condition["gaps"]["ddrm"]
    assert reason.startswith("DDRM refuses it: --angles 100: found") and "fewer views" in reason
    assert reason in (common.out / "report.html").read_text()
    assert notes == [f"study1-noise1-views100: {reason}"]


def test_a_bundle_that_is_not_there_is_named_by_its_option(comparison, tmp_path):
    common = replace(
        comparison.common, methods=("fbp", "pnp-unet"), bundles={"unet-denoiser": tmp_path / "nowhere"}
    )
    with pytest.raises(PriorError, match=r"--unet-denoiser .*nowhere: no configs/metadata.json"):
        run.compare(replace(comparison, common=common), resume=False)
    assert list(common.out.parent.iterdir()) == []


def test_sinogram_file_has_no_truth(comparison, tmp_path):
    path = tmp_path / "scan.h5"
    write_sinogram(
        simulate(read_study(comparison.studies[0]), [3], SimulatedScan(noise="none"), 0, Window())[0],
        path,
    )
    with pytest.raises(OptionError, match="no truth to compare with"):
        replace(comparison, studies=(path,))


@pytest.mark.parametrize("change", [{"angles": (25, 25)}, {"noises": ()}, {"noises": ("none", "none")}])
def test_condition_is_asked_for_once(comparison, change):
    with pytest.raises(OptionError, match="each once"):
        replace(comparison, **change)
