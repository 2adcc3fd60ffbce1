"""Reconstruct a study: read, project, reconstruct batch by batch, compare, write.

Work in progress lives in `<out>.partial`, one file a finished batch; `<out>` appears by a rename when
it is whole. `resume` continues from the first missing batch with the same bits, because batches
and every slice's random numbers depend on the options alone. One batch is in memory while it
reconstructs, and one method's volume on the 256 x 256 grid while it writes.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np

from resample_ct.cluster import finish_batches
from resample_ct.errors import OptionError
from resample_ct.job import Job
from resample_ct.measure import method_generators
from resample_ct.metrics import SliceMetrics, compare
from resample_ct.models import read_models
from resample_ct.outputs import BatchFiles, write_outputs
from resample_ct.physics.backends import make_projector
from resample_ct.problem import Batch, Problem, pose
from resample_ct.progress import Update, silent
from resample_ct.reconstruct.base import Measurement, Reconstructor
from resample_ct.reconstruct.methods import build_methods


def reconstruct(
    job: Job, resume: bool, progress: Update = silent, cluster: str | None = None
) -> list[str]:
    """Run a job and write its output folder.

    Args:
        job: what to do.
        resume: continue `<out>.partial` of an interrupted run of the same job.
        progress: called with slices done, slices in all, and the method at work.
        cluster: address of a Dask scheduler whose workers compute the batches; None computes here.

    Returns:
        Notes for the user: what was left out of the study, or found odd.

    Raises:
        ResampleCTError: anything a user can put right; nothing is left that looks whole.
    """
    _refuse_existing(job.out)
    models = read_models(job)
    methods = build_methods(job.methods, models.options(job))
    problem = pose(job, models.window)
    problem = problem.with_notes(models.notes_on(problem.geometry.image_size, problem.grid.spacing_mm[0]))
    partial = _open_partial(job, resume)
    files = BatchFiles(partial / "batches", len(problem.indices), job.batch)
    if cluster is not None:
        finish_batches(cluster, job, problem, models, files, _reconstruct_batch, progress)
    total = len(methods) * len(problem.indices)
    done = 0
    for name, method in methods.items():
        for first, stop in files.ranges:
            progress(done, total, name)
            if not files.path(name, first).exists():
                batch = problem.load(problem.indices[first:stop])
                image, records = _reconstruct_batch(job, problem, method, name, batch)
                files.save(name, first, image, records)
            done += stop - first
    progress(done, total, "writing")
    results = partial / "results"
    # Left by a run that was stopped while it wrote.
    shutil.rmtree(results, ignore_errors=True)
    write_outputs(job, problem, files, models, results)
    os.replace(results, job.out)
    shutil.rmtree(partial)
    return list(problem.study.notes)


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise OptionError(f"--out {out}: exists, expected a new folder; name another one")


def _open_partial(job: Job, resume: bool) -> Path:
    partial = job.out.with_name(job.out.name + ".partial")
    record = partial / "job.json"
    if partial.exists():
        if not resume:
            raise OptionError(
                f"--out {partial}: left by an interrupted run; give --resume to continue it, or delete it"
            )
        if not record.exists() or json.loads(record.read_text()) != job.record():
            raise OptionError(
                f"--resume {record}: was written with other options, expected this command's; "
                "repeat the first command with --resume, or delete the folder"
            )
        return partial
    (partial / "batches").mkdir(parents=True)
    record.write_text(json.dumps(job.record(), indent=2))
    return partial


def _reconstruct_batch(
    job: Job, problem: Problem, method: Reconstructor, name: str, batch: Batch
) -> tuple[np.ndarray, list[dict[str, object]]]:
    measurement = Measurement(
        make_projector(problem.geometry, job.device),
        batch.sinogram.to(job.device),
        batch.noise_variance.to(job.device),
    )
    began = time.perf_counter()
    image = method(measurement, method_generators(job.seed, batch.indices)).clamp(0.0, 1.0)
    seconds = (time.perf_counter() - began) / len(batch.indices)
    residual = measurement.residual(image).tolist()
    image = image.cpu()
    figures: list[tuple[float | None, float | None, float | None]] = [
        (None, None, None) for _ in batch.indices
    ]
    if batch.truth is not None:
        figures = list(compare(image, batch.truth, problem.window))
    records = [
        SliceMetrics(name, problem.study.name, index, *figure, misfit, seconds).record()
        for index, figure, misfit in zip(batch.indices, figures, residual, strict=True)
    ]
    return image[:, 0].numpy(), records
