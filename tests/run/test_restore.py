"""`resample-ct restore`: images and slices, every task, what is written and what is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import nibabel as nib
import numpy as np
import pytest
import torch
from cards import STATED
from laws import fill_zero_weights
from PIL import Image

from resample_ct.bundles.bundle import half_precision, read_bundle, write_bundle
from resample_ct.bundles.card import LatentPriorCard
from resample_ct.errors import OptionError, ResampleCTError, StudyError
from resample_ct.networks.settings import UNetSettings, VQAutoencoderSettings
from resample_ct.operators.image.tasks import TASKS
from resample_ct.prior.colour import ColourPrior
from resample_ct.reconstruct.resample_settings import PRESETS
from resample_ct.reconstruct.rules import Descent, Ridge
from resample_ct.reconstruct.start import CascadeStart, TVStart
from resample_ct.run.restore import RestoreJob, restore

SIDE = 64
QUICK = replace(
    PRESETS["general"], steps=2, pixel=Ridge(0.04, 3), final=Ridge(0.04, 3), final_latent_iterations=1
)


@pytest.fixture(scope="module")
def colour_bundle(tmp_path_factory):
    """A bundle of the released FFHQ model's layout, tiny, with random weights."""
    torch.manual_seed(0)
    autoencoder = VQAutoencoderSettings(channels=(8, 8, 8), codes=16, num_res_blocks=1, norm_groups=4)
    unet = UNetSettings(channels=(8, 8, 8, 8), latent_channels=3, head_channels=8, norm_groups=4)
    card = LatentPriorCard(
        **STATED,
        image_size=SIDE,
        autoencoder=autoencoder,
        unet=unet,
        latent_scale=1.0,
    )
    folder = tmp_path_factory.mktemp("colour") / "bundle"
    weights = {
        "autoencoder": half_precision(autoencoder.build()),
        "unet": half_precision(fill_zero_weights(unet.build())),
    }
    write_bundle(folder, card, weights)
    return folder


@pytest.fixture
def picture(tmp_path):
    """Writes a PNG of smooth colours, or grey."""

    def make(mode="RGB", side=SIDE):
        place = np.linspace(0, 255, side)
        channels = [np.add.outer(place, k * place) / (1 + k) for k in range(3)]
        image = Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8)).convert(mode)
        path = tmp_path / f"{mode}-{side}.png"
        image.save(path)
        return path

    return make


@pytest.fixture
def job(picture, colour_bundle, tmp_path):
    return RestoreJob(picture(), tmp_path / "out", "inpainting", colour_bundle, "general", QUICK)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


@pytest.mark.parametrize("task", TASKS)
def test_colour_image_is_degraded_and_restored(job, task):
    (record,) = restore(replace(job, task=task))
    out = job.out
    with Image.open(out / "restored.png") as restored:
        assert restored.mode == "RGB" and restored.size == (SIDE, SIDE)
        assert (
            "Derived" in restored.info["Description"] and "Research only" in restored.info["Description"]
        )
    with Image.open(out / "degraded.png") as degraded:
        assert degraded.size == ((SIDE // 4,) * 2 if task == "super-resolution" else (SIDE, SIDE))
    assert json.loads((out / "metrics.json").read_text()) == [record]
    assert np.isfinite(record["psnr"]) and record["residual"] > 0
    run = json.loads((out / "run.json").read_text())
    assert run["research_only"] and run["job"]["task"] == task and run["prior"]["name"] == STATED["name"]
    assert sorted(p.name for p in out.iterdir()) == [
        "degraded.png",
        "metrics.json",
        "restored.png",
        "run.json",
    ]


def test_missing_pixels_are_black_and_kept_ones_nearly_the_images(job):
    restore(replace(job, sigma=0.0))
    truth, degraded = pixels(job.source), pixels(job.out / "degraded.png")
    kept = (degraded == truth).all(axis=-1)
    assert 0.3 <= kept.mean() < 0.35
    assert (degraded[~kept] == 0).all()


def test_last_pixel_step_keeps_what_was_measured(job):
    """The random networks know nothing: only the measurement can have brought the kept pixels near."""
    settings = replace(QUICK, final=Ridge(1e-3, 50))
    (record,) = restore(replace(job, settings=settings))
    assert record["residual"] < 1e-3


def test_grey_image_goes_through_a_colour_prior_as_a_slice_does(job, picture):
    restore(replace(job, source=picture("L")))
    assert pixels(job.out / "restored.png").shape == (SIDE, SIDE)


def test_seed_gives_the_same_files_and_another_seed_others(job, tmp_path):
    def restored(out, seed):
        restore(replace(job, out=tmp_path / out, seed=seed))
        return pixels(tmp_path / out / "restored.png")

    assert np.array_equal(restored("a", 0), restored("b", 0))
    assert not np.array_equal(restored("a2", 0), restored("c", 1))


def test_colours_are_not_averaged(colour_bundle):
    prior = read_bundle(colour_bundle)
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        colours = ColourPrior(prior).decode(ColourPrior(prior).encode(image))
        grey = prior.decode(prior.encode(image))
    assert colours.shape == image.shape and grey.shape == (1, 1, SIDE, SIDE)
    torch.testing.assert_close(colours.mean(dim=1, keepdim=True), grey)


def test_slices_of_a_study_keep_their_place_and_hu(sample_series, tiny_bundle, tmp_path):
    job = RestoreJob(
        sample_series, tmp_path / "out", "super-resolution", tiny_bundle, "general", QUICK, slices="10,11"
    )
    records = restore(job)
    assert [r["image"] for r in records] == [10, 11] and records[0]["degraded_psnr"] is None
    restored = nib.load(job.out / "restored.nii.gz")
    degraded = nib.load(job.out / "degraded.nii.gz")
    assert restored.shape == (256, 256, 2) and degraded.shape == (64, 64, 2)
    assert "Research only" in str(restored.header["descrip"])
    # The same field of view in four times larger pixels: both grids' outer corners meet.
    corner, coarse = (image.affine @ [-0.5, -0.5, 0, 1] for image in (restored, degraded))
    np.testing.assert_allclose(corner, coarse, atol=1e-3)
    assert degraded.get_fdata().min() >= -1000 and degraded.get_fdata().max() <= 2000


def refusal(job, **changes):
    with pytest.raises(ResampleCTError) as caught:
        restore(replace(job, **changes))
    assert not job.out.exists() and not job.out.with_name("out.partial").exists()
    return caught.value


def test_wrong_size_and_mode_are_refused(job, picture):
    assert "found 32 x 32" in str(refusal(job, source=picture(side=32)))
    assert isinstance(refusal(job, source=picture("RGBA")), StudyError)


def test_colour_needs_a_colour_prior(job, picture, tiny_bundle):
    error = refusal(job, source=picture(side=256), prior=tiny_bundle)
    assert "found a colour image, expected grey" in str(error)


def test_damaged_image_is_refused(job, tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(job.source.read_bytes()[:60])
    assert "broken.png" in str(refusal(job, source=path))


@pytest.mark.parametrize(
    ("task", "start"),
    [("inpainting", CascadeStart(50)), ("nonlinear-deblur", TVStart(50))],
)
def test_start_that_the_task_cannot_have_is_refused(job, task, start):
    settings = replace(QUICK, start=start)
    with pytest.raises(OptionError, match=r"start=50: starts from .*, expected tv and a linear task"):
        restore(replace(job, task=task, settings=settings))


@pytest.mark.parametrize(
    ("asked", "used"), [(QUICK.pixel, Descent(0.01, 3)), (Descent(0.05, 2), Descent(0.05, 2))]
)
def test_record_says_the_settings_that_a_nonlinear_task_used(job, asked, used):
    restore(replace(job, task="nonlinear-deblur", settings=replace(QUICK, pixel=asked)))
    recorded = json.loads((job.out / "run.json").read_text())["job"]["settings"]
    assert recorded["pixel"] == asdict(used)
    assert recorded["final"] == asdict(Descent(0.01, 3))


def test_existing_output_is_refused_and_kept(job):
    job.out.mkdir()
    with pytest.raises(OptionError, match="exists"):
        restore(job)
    assert list(job.out.iterdir()) == []


def test_nonlinear_task_descends_by_gradient(job, monkeypatch):
    from resample_ct.run import restore as module

    seen = []
    original = module.ReSample
    monkeypatch.setattr(module, "ReSample", lambda prior, s: seen.append(s) or original(prior, s))
    restore(replace(job, task="nonlinear-deblur"))
    restore(replace(job, out=job.out.with_name("linear")))
    assert isinstance(seen[0].pixel, Descent) and isinstance(seen[0].final, Descent)
    assert (seen[1].pixel, seen[1].final) == (QUICK.pixel, QUICK.final)
