"""Run every method under every condition, batch by batch, resumable, and write the report.

As `resample-ct reconstruct` does, it works in `<out>.partial`, one file a finished batch, and `<out>`
appears by a rename when it is whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from resample_ct.comparison.conditions import Comparison, Condition
from resample_ct.comparison.lesions import insert, place_lesions
from resample_ct.comparison.write import Finished, write_comparison
from resample_ct.errors import ResampleCTError
from resample_ct.networks.slice_unet import SliceUNet
from resample_ct.peak_memory import forget_peak, peak_mb
from resample_ct.physics.backends import make_projector
from resample_ct.physics.noise import parse_noise
from resample_ct.prior.latent import LatentPrior
from resample_ct.progress import Update, listening, silent, within
from resample_ct.reconstruct.base import Measurement, Reconstructor
from resample_ct.reconstruct.fbp_unet import FBPUNet
from resample_ct.reconstruct.methods import METHODS, shares_of_time
from resample_ct.run.inputs import Batch, Problem, Source, pose_simulated, read_source
from resample_ct.run.networks import Models, read_models
from resample_ct.run.outputs import BatchFiles
from resample_ct.run.pipeline import doubts, reconstruct_batch
from resample_ct.run.simulate import noisy_projection
from resample_ct.run.work_folder import refuse_out, work_folder

Load = Callable[[Sequence[int]], Batch]


def compare(comparison: Comparison, resume: bool, progress: Update = silent) -> list[str]:
    """Run a comparison and write its output folder.

    Args:
        comparison: what to do.
        resume: continue `<out>.partial` of an interrupted run of the same comparison.
        progress: called with slices done, slices in all, and what is at work.

    Returns:
        Notes for the user.

    Raises:
        ResampleCTError: anything a user can put right, before anything runs. What a method refuses later,
            such as too many views for its decomposition, is a gap in the table.
    """
    common = comparison.common
    refuse_out(common.out)
    models = read_models(common)
    methods = models.methods(common)
    posed = list(_pose(comparison, models))
    inputs = {"weights": models.record(), "identity": [problem.identity for _, problem in posed]}
    with work_folder(common.out, comparison.record() | inputs, resume) as partial:
        passes = 2 if comparison.lesions else 1
        steps = _Steps(
            progress,
            sum(len(p.indices) for _, p in posed) * len(methods) * passes,
            shares_of_time(methods),
        )
        finished = [
            _run(comparison, condition, problem, methods, models, partial, steps)
            for condition, problem in posed
        ]
        steps.say("writing")
        results = partial / "results"
        # Left by a run that was stopped while it wrote.
        shutil.rmtree(results, ignore_errors=True)
        write_comparison(comparison, finished, models, results)
        os.replace(results, common.out)
        notes = [note for part in finished for note in _notes(part)]
    return list(dict.fromkeys(notes))


def _notes(part: Finished) -> list[str]:
    """What a user should know about one condition."""
    doubted = [note for name in part.methods for note in doubts(part.plain.records(name))]
    own = [*part.cautions, *doubted, *part.gaps.values()]
    return [*part.problem.study.notes, *(f"{part.condition.key}: {note}" for note in own)]


@dataclass
class _Steps:
    """Slices done, of all; each counts by its method's share of the time."""

    progress: Update
    total: float
    weights: dict[str, float]
    done: float = 0.0

    def say(self, label: str, more: float = 0.0) -> None:
        self.done = min(self.done + more, self.total)
        self.progress(self.done, self.total, label)


def _pose(comparison: Comparison, models: Models) -> Iterator[tuple[Condition, Problem]]:
    """Every condition's slices; a study is read once, and has one new identity where it gets one."""
    sources: dict[tuple[Path, str | None], Source] = {}
    for condition in comparison.conditions():
        job = condition.job
        which = job.source, job.series
        if which not in sources:
            sources[which] = read_source(job, models.window)
        problem = pose_simulated(job, sources[which], models.window)
        notes = models.notes_on(problem.geometry.image_size, problem.grid.spacing_mm[0])
        yield condition, problem.with_notes(notes)


def _run(
    comparison: Comparison,
    condition: Condition,
    problem: Problem,
    methods: dict[str, Reconstructor],
    models: Models,
    partial: Path,
    steps: _Steps,
) -> Finished:
    """All methods under one condition."""
    folder = partial / "batches" / condition.key
    plain = BatchFiles(folder / "plain", len(problem.indices), condition.job.batch)
    sick = replace(plain, folder=folder / "lesions") if comparison.lesions else None
    kinds = [(plain, problem.load)]
    if sick is not None:
        kinds.append((sick, _with_lesions(condition, problem)))
    gaps: dict[str, str] = {}
    for name, method in methods.items():
        for files, load in kinds:
            refusal = _method(condition, problem, name, method, models.prior, files, load, steps)
            if refusal is not None:
                gaps[name] = f"{METHODS[name].title} refuses it: {refusal}"
                break
    return Finished(condition, problem, plain, sick, gaps, _cautions(condition, problem, models))


def _method(
    condition: Condition,
    problem: Problem,
    name: str,
    method: Reconstructor,
    prior: LatentPrior | None,
    files: BatchFiles,
    load: Load,
    steps: _Steps,
) -> str | None:
    """The batches of one method that are not on disk yet; its refusal, where it refuses."""
    files.folder.mkdir(parents=True, exist_ok=True)
    for first, stop in files.ranges:
        label = f"{name}, {condition.job.n_angles} views, {condition.job.noise}"
        size = steps.weights[name] * (stop - first)
        steps.say(label)
        if not files.path(name, first).exists():
            batch = load(problem.indices[first:stop])
            forget_peak()
            try:
                with listening(within(steps.progress, steps.done, size, steps.total, label)):
                    image, records, spread = reconstruct_batch(
                        condition.job, problem, method, name, batch, prior
                    )
            except ResampleCTError as refusal:
                return str(refusal)
            peak = {"peak_memory_mb": peak_mb()}
            files.save(name, first, image, [record | peak for record in records], spread)
        steps.say(label, size)
    return None


def _with_lesions(condition: Condition, problem: Problem) -> Load:
    """Loads batches with lesions, measured with the same noise as those without."""
    job, pixel_mm = condition.job, problem.grid.spacing_mm[0]
    model = parse_noise(job.noise, pixel_mm, problem.window)
    projector = make_projector(problem.geometry, job.device)

    def load(indices: Sequence[int]) -> Batch:
        plain = problem.load(indices)
        assert plain.truth is not None
        truths, rows, variances = [], [], []
        for index, truth in zip(indices, plain.truth, strict=True):
            hu = problem.window.to_hu(truth)[0].numpy()
            hu = insert(hu, place_lesions(hu, pixel_mm, job.seed, index), pixel_mm)
            image = problem.window.from_hu(torch.from_numpy(hu).float())[None, None]
            row, sigma = noisy_projection(projector, image.to(job.device), model, job.seed, index)
            truths.append(image)
            rows.append(row.cpu())
            variances.append(sigma**2)
        return Batch(plain.indices, torch.cat(rows), torch.tensor(variances), torch.cat(truths))

    return load


def _cautions(condition: Condition, problem: Problem, models: Models) -> list[str]:
    """Where a network runs on what it was not trained for."""
    network = models.named.get("fbp-unet")
    if not isinstance(network, SliceUNet):
        return []
    batch = problem.load(problem.indices[:1])
    projector = make_projector(problem.geometry, condition.job.device)
    if FBPUNet(network).fits(Measurement(projector, batch.sinogram, batch.noise_variance)):
        return []
    job = condition.job
    methods = set(job.methods)
    said = {
        "fbp-unet": "FBP-UNet runs outside of that",
        "cascade": "so does the cascade behind it",
    }
    starts = {"cascade": "the cascade all the same", "fbp-unet": "TV instead"}
    if job.settings.start is not None and job.settings.start.estimate in starts:
        said["resample"] = f"ReSample starts from {starts[job.settings.start.estimate]}"
    told = "; ".join(text for name, text in said.items() if name in methods)
    return [
        f"{condition.job.n_angles} views, noise {condition.job.noise}: FBP-UNet was trained for "
        f"{network.n_angles} views and noise of {network.sigma:g}; {told or 'it runs outside of that'}"
    ]
