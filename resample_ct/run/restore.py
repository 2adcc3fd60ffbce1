"""Degrade images or slices by one of the paper's tasks and restore them by ReSample.

The degraded images are simulated, as in the paper, so that the restored ones can be compared with the
truth. `<out>` appears by a rename when it is whole.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from resample_ct import __version__
from resample_ct.bundles.bundle import read_bundle
from resample_ct.errors import OptionError, StudyError
from resample_ct.io.identity_guard import refuse_identified
from resample_ct.io.nifti_write import write_nifti
from resample_ct.io.read import read_study
from resample_ct.metrics import compare
from resample_ct.operators.base import LinearOperator, Operator
from resample_ct.operators.image.tasks import TASKS, degraded_picture
from resample_ct.prior.colour import ColourPrior
from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.prior.latent import LatentPrior
from resample_ct.progress import Update, listening, silent, within
from resample_ct.randomness import randn
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.resample import ReSample
from resample_ct.reconstruct.resample_settings import ReSampleSettings
from resample_ct.reconstruct.rules import Descent, Rule
from resample_ct.reconstruct.start import TVStart
from resample_ct.run.outputs import versions
from resample_ct.run.simulate import method_generators, slice_generators
from resample_ct.run.slices import check_slices, parse_slices
from resample_ct.run.work_folder import refuse_out
from resample_ct.values.network_grid import network_slices
from resample_ct.values.volume import Volume

_NOISE_STREAM = 0
# The paper's code: AdamW at 1e-2.
_DESCENT_RATE = 1e-2
IMAGE_SUFFIXES = (".png",)


@dataclass(frozen=True)
class RestoreJob:
    """The options of `resample-ct restore`.

    Attributes:
        source: a PNG image, or a study.
        out: new folder.
        task: of `resample_ct.operators.image.tasks.TASKS`.
        prior: a bundle's folder; None takes the shipped one.
        preset: where `settings` come from.
        settings: ReSample's.
        sigma: noise added to what is measured, images being in [0, 1].
        slices: of a study, see `resample_ct.run.slices.parse_slices`.
        series: SeriesInstanceUID, where the study holds several.
        seed: of every random number, and of the missing pixels and the motion.
        device: of torch.
    """

    source: Path
    out: Path
    task: str
    prior: Path | None
    preset: str
    settings: ReSampleSettings
    sigma: float = 0.01
    slices: str | None = None
    series: str | None = None
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Raise OptionError for a noise that no measurement has, and what is no choice of slices."""
        check_slices(self.slices)
        if not 0 <= self.sigma < math.inf:
            raise OptionError(
                f"--sigma {self.sigma:g}: expected a finite number from 0 up, the standard deviation of "
                "the noise to add; correct it"
            )

    def record(self) -> dict[str, Any]:
        """The options as JSON values."""
        return dict(json.loads(json.dumps(asdict(self), default=str)))


@dataclass(frozen=True)
class _Images:
    """What is to be restored: (N, C, H, W) in [0, 1], their places, and their study if they have one."""

    truth: torch.Tensor
    indices: tuple[int, ...]
    volume: Volume | None


def restore(job: RestoreJob, progress: Update = silent) -> list[dict[str, Any]]:
    """Run a job and write its output folder; returns the records of metrics.json.

    Raises ResampleCTError for anything that a user can put right; nothing is left that looks whole.
    """
    refuse_out(job.out)
    bundle = read_bundle(job.prior, job.device)
    images = _read(job, bundle)
    prior: DiffusionPrior = bundle if images.truth.shape[1] == 1 else ColourPrior(bundle)
    operator = TASKS[job.task](images.truth.shape[-1], images.truth.shape[1], job.seed, job.device)
    job = replace(job, settings=_settings_for(operator, job.settings))
    method = ReSample(prior, job.settings)
    restored, degraded, records = [], [], []
    for place, index in enumerate(images.indices):
        tell = within(progress, place, 1.0, len(images.indices), job.task)
        tell(0.0)
        truth = images.truth[place : place + 1]
        clean = operator(truth.to(job.device))
        noise = randn(clean.shape, slice_generators(job.seed, [index], _NOISE_STREAM)).to(clean)
        variance = torch.full((1,), job.sigma**2).to(clean)
        measurement = Measurement(operator, clean + job.sigma * noise, variance)
        with torch.no_grad(), listening(tell):
            found = method(measurement, method_generators(job.seed, [index]))
            image = found.x.clamp(0, 1)
            residual = float(measurement.residual(image))
            restored.append(image.cpu())
            degraded.append(degraded_picture(operator, measurement.sinogram).clamp(0, 1).cpu())
        stop = {"iterations": found.iterations[0], "stopped": found.stopped[0]}
        figures = _record(job, index, truth, restored[-1], degraded[-1], residual, bundle)
        records.append(figures | stop)
    progress(len(images.indices), len(images.indices), "writing")
    _write(job, images, torch.cat(restored), torch.cat(degraded), records, bundle)
    return records


def _settings_for(operator: Operator, settings: ReSampleSettings) -> ReSampleSettings:
    """A nonlinear operator takes gradient descent in every pixel optimisation, as in the paper.

    Raises OptionError for a start from what only sinograms, or only linear operators, have.
    """
    linear = isinstance(operator, LinearOperator)
    start = settings.start
    if start is not None and not (isinstance(start, TVStart) and linear):
        raise OptionError(
            f"start={start.t}: starts from {start.estimate}, expected tv and a linear task; leave it "
            "out, which starts from pure noise"
        )
    if linear:
        return settings
    final = None if settings.final is None else _descent(settings.final)
    return replace(settings, pixel=_descent(settings.pixel), final=final)


def _descent(rule: Rule) -> Descent:
    """The rule, or a descent of as many iterations in its place."""
    return rule if isinstance(rule, Descent) else Descent(_DESCENT_RATE, rule.iterations)


def _read(job: RestoreJob, prior: LatentPrior) -> _Images:
    if job.source.suffix.lower() in IMAGE_SUFFIXES:
        return _Images(_read_png(job.source, prior), (0,), None)
    study = read_study(job.source, job.series)
    refuse_identified(study.headers, job.out)
    indices = tuple(parse_slices(job.slices, len(study)))
    truth, volume = network_slices(study.select(indices).volume, prior.window)
    prior.notes_on(truth.shape[-1], study.grid.spacing_mm[0])
    return _Images(truth, indices, volume)


def _read_png(path: Path, prior: LatentPrior) -> torch.Tensor:
    """(1, C, H, W) in [0, 1]; C is 3 for colour, else 1."""
    try:
        with Image.open(path) as file:
            file.load()
            picture = file
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise StudyError(f"{path}: cannot be read ({error}), expected a PNG image") from None
    expected = prior.image_size
    if picture.mode not in ("L", "RGB") or picture.size != (expected, expected):
        width, height = picture.size
        raise StudyError(
            f"{path}: found {width} x {height} pixels of mode {picture.mode}, expected {expected} x "
            f"{expected} of 8-bit grey (L) or colour (RGB), the size of --prior; crop and convert it"
        )
    if picture.mode == "RGB" and prior.image_channels != 3:
        raise OptionError(
            f"{path}: found a colour image, expected grey, which is all that prior {prior.name} knows; "
            "give the --prior of a colour model, converted by `resample-ct convert`"
        )
    values = torch.from_numpy(np.asarray(picture).copy()).float() / 255
    return values.view(1, expected, expected, -1).permute(0, 3, 1, 2).contiguous()


def _record(
    job: RestoreJob,
    index: int,
    truth: torch.Tensor,
    restored: torch.Tensor,
    degraded: torch.Tensor,
    residual: float,
    prior: LatentPrior,
) -> dict[str, Any]:
    """Figures of one image; the degraded one has none where it has other pixels."""
    psnr, ssim, _ = compare(restored, truth, prior.window)[0]
    before = compare(degraded, truth, prior.window)[0] if degraded.shape == truth.shape else (None, None)
    return {
        "task": job.task,
        "image": index,
        "psnr": psnr,
        "ssim": ssim,
        "degraded_psnr": before[0],
        "degraded_ssim": before[1],
        "residual": residual,
    }


def _write(
    job: RestoreJob,
    images: _Images,
    restored: torch.Tensor,
    degraded: torch.Tensor,
    records: Sequence[dict[str, Any]],
    prior: LatentPrior,
) -> None:
    partial = job.out.with_name(job.out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    described = {
        "restored": f"Derived: {job.task} by ReSample, prior {prior.name}. Research only.",
        "degraded": f"Derived: simulated for {job.task}, sigma {job.sigma:g}. Research only.",
    }
    for name, stack in (("restored", restored), ("degraded", degraded)):
        if images.volume is None:
            _write_png(stack[0], partial / f"{name}.png", described[name])
        else:
            grid = images.volume.grid.resized(stack.shape[-1])
            hu = prior.window.to_hu(stack[:, 0].numpy())
            write_nifti(hu, grid, partial / f"{name}.nii.gz", described[name], images.indices)
    (partial / "metrics.json").write_text(json.dumps(list(records), indent=1) + "\n")
    run = {
        "research_only": True,
        "job": job.record(),
        "versions": versions(),
        "prior": {"name": prior.name, "sha256": prior.sha256},
        "made_by": f"resample-ct {__version__}",
    }
    (partial / "run.json").write_text(json.dumps(run, indent=2) + "\n")
    os.replace(partial, job.out)


def _write_png(image: torch.Tensor, path: Path, description: str) -> None:
    values = (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    text = PngImagePlugin.PngInfo()
    text.add_text("Description", description)
    Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values).save(path, pnginfo=text)
