"""Reconstruct a study: read, project, reconstruct batch by batch, compare, write.

Work in progress lives in `<out>.partial`, one file a finished batch; `<out>` appears by a rename when
it is whole. `resume` continues from the first missing batch with the same bits, because batches
and every slice's random numbers depend on the options alone. One batch is in memory while it
reconstructs, and one method's volume on the 256 x 256 grid while it writes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np

from resample_ct.device import to_device
from resample_ct.io.nifti_write import notes_on_parts
from resample_ct.metrics import SliceMetrics, compare
from resample_ct.physics.backends import make_projector
from resample_ct.prior.latent import LatentPrior
from resample_ct.progress import Update, listening, silent, within
from resample_ct.reconstruct.base import Measurement, Reconstructor
from resample_ct.reconstruct.methods import METHODS, shares_of_time
from resample_ct.reconstruct.trust import notes_on_rays
from resample_ct.run.batch import reconstruct_slices
from resample_ct.run.cluster import finish_batches
from resample_ct.run.inputs import Batch, Problem, pose
from resample_ct.run.job import Job
from resample_ct.run.networks import read_models
from resample_ct.run.outputs import BatchFiles, write_outputs
from resample_ct.run.simulate import method_generators
from resample_ct.run.work_folder import refuse_out, work_folder


def reconstruct(
    job: Job, resume: bool = False, progress: Update = silent, cluster: str | None = None
) -> list[str]:
    """Run a job and write its output folder.

    Args:
        job: what to do.
        resume: continue `<out>.partial` of an interrupted run of the same job.
        progress: called with slices done, slices in all, and the method at work; a slice
            counts by its method's share of the time.
        cluster: address of a Dask scheduler whose workers compute the batches; None computes here.

    Returns:
        Notes for the user: what was left out of the study, or found odd.

    Raises:
        ResampleCTError: anything a user can put right; nothing is left that looks whole.
    """
    refuse_out(job.out)
    models = read_models(job)
    methods = models.methods(job)
    problem = pose(job, models.window)
    geometry = problem.geometry
    notes = models.notes_on(geometry.image_size, problem.grid.spacing_mm[0])
    problem = problem.with_notes([*notes, *notes_on_rays(geometry)])
    inputs = {"weights": models.record(), "identity": problem.identity}
    with work_folder(job.out, job.record() | inputs, resume) as partial:
        files = BatchFiles(partial / "batches", len(problem.indices), job.batch)
        if cluster is not None:
            finish_batches(cluster, job, problem, models, files, reconstruct_batch, progress)
        total = len(methods) * len(problem.indices)
        done, weights = 0.0, shares_of_time(methods)
        for name, method in methods.items():
            for first, stop in files.ranges:
                size = weights[name] * (stop - first)
                tell = within(progress, done, size, total, name)
                tell(0.0)
                if not files.path(name, first).exists():
                    batch = problem.load(problem.indices[first:stop])
                    with listening(tell):
                        found = reconstruct_batch(job, problem, method, name, batch, models.prior)
                    files.save(name, first, *found)
                done += size
        doubted = [note for name in methods for note in doubts(files.records(name))]
        problem = problem.with_notes([*doubted, *notes_on_parts(problem.grid)])
        progress(total, total, "writing")
        results = partial / "results"
        # Left by a run that was stopped while it wrote.
        shutil.rmtree(results, ignore_errors=True)
        write_outputs(job, problem, files, models, results)
        os.replace(results, job.out)
    return list(problem.study.notes)


def doubts(records: Sequence[dict[str, Any]]) -> list[str]:
    """A note on one method's slices whose prior is not to be trusted, if there are any."""
    doubted = [record for record in records if record["doubt"]]
    if not doubted:
        return []
    places = ", ".join(str(record["slice"]) for record in doubted)
    first = doubted[0]
    return [
        f"{first['method']}: the prior is not to be trusted on {len(doubted)} of {len(records)} slices "
        f"({places}); slice {first['slice']}: {first['doubt']}"
    ]


def reconstruct_batch(
    job: Job,
    problem: Problem,
    method: Reconstructor,
    name: str,
    batch: Batch,
    prior: LatentPrior | None,
) -> tuple[np.ndarray, list[dict[str, object]], np.ndarray | None]:
    """One batch by one method; results of the latent prior are judged by it.

    Returns:
        (N, row, column) relative attenuation in [0, 1], a record a slice: see `SliceMetrics`,
        and the standard deviation of the pixels, None where the method does not say.
    """
    measurement = Measurement(
        make_projector(problem.geometry, job.device),
        to_device(batch.sinogram, job.device),
        to_device(batch.noise_variance, job.device),
    )
    judge = prior if "prior" in METHODS[name].needs else None
    found = reconstruct_slices(method, measurement, method_generators(job.seed, batch.indices), judge)
    figures: list[tuple[float | None, float | None, float | None]] = [
        (None, None, None) for _ in batch.indices
    ]
    if batch.truth is not None:
        figures = list(compare(found.image, batch.truth, problem.window))
    records = [
        SliceMetrics(
            name,
            problem.study.name,
            index,
            *figure,
            found.residual[row],
            found.seconds,
            found.iterations[row],
            found.stopped[row],
        ).record()
        | found.trust[row]
        for row, (index, figure) in enumerate(zip(batch.indices, figures, strict=True))
    ]
    spread = None if found.spread is None else found.spread[:, 0].numpy()
    return found.image[:, 0].numpy(), records, spread
