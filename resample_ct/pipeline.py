"""Reconstruct a study: read, project, reconstruct batch by batch, compare, write.

Work in progress lives in `<out>.partial`, one file a finished batch, and becomes `<out>` by a rename
when it is whole; `resume` continues from the first missing batch with the same bits, because the
batches and every slice's random numbers depend on the options alone.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from resample_ct import __version__
from resample_ct.errors import OptionError
from resample_ct.io.dicom_write import Derivation, write_series
from resample_ct.io.nifti import write_nifti
from resample_ct.io.study import Study, read_study
from resample_ct.measure import attenuation_of, method_generators, parse_slices, simulate
from resample_ct.metrics import SliceMetrics, compare
from resample_ct.physics.backends import make_projector
from resample_ct.physics.sinogram_file import Sinogram, read_sinogram
from resample_ct.prior.bundle import read_bundle
from resample_ct.reconstruct.base import Measurement, Reconstructor
from resample_ct.reconstruct.methods import NEEDS_PRIOR, MethodOptions, build_methods
from resample_ct.reconstruct.resample import PRESETS, ReSampleSettings
from resample_ct.report import write_montage, write_tables
from resample_ct.units import Window
from resample_ct.volume import Volume


@dataclass(frozen=True)
class Job:
    """Everything a reconstruction is asked for; recorded whole in run.json."""

    source: Path
    out: Path
    methods: tuple[str, ...] = ("fbp", "resample")
    n_angles: int = 25
    noise: str = "gaussian:0.01"
    sigma: float | None = None
    slices: str | None = None
    series: str | None = None
    seed: int = 0
    batch: int = 4
    device: str = "cpu"
    prior: Path | None = None
    preset: str = "balanced"
    settings: ReSampleSettings = PRESETS["balanced"]
    fbp_filter: str = "ramp"

    def record(self) -> dict[str, Any]:
        """The options as JSON values."""
        return json.loads(json.dumps(asdict(self), default=str))


@dataclass(frozen=True)
class Problem:
    """What is to be reconstructed: sinograms, their place in the patient, and the truth if known."""

    study: Study
    volume: Volume
    sinogram: Sinogram
    indices: list[int]
    truth: torch.Tensor | None
    noise_variance: float


def _problem(job: Job, window: Window) -> Problem:
    if job.source.suffix in (".h5", ".hdf5"):
        return _measured(job)
    study = read_study(job.source, job.series)
    indices = parse_slices(job.slices, len(study.volume.hu))
    study = study.select(indices)
    sinogram, truth = simulate(
        study, indices, job.n_angles, job.noise, job.seed, window, job.device
    )
    variance = (sinogram.noise_sigma or 0.0) ** 2
    return Problem(study, truth, sinogram, indices, attenuation_of(truth, window), variance)


def _measured(job: Job) -> Problem:
    sinogram = read_sinogram(job.source)
    sigma = sinogram.noise_sigma if job.sigma is None else job.sigma
    if sigma is None:
        raise OptionError(
            f"{job.source}: states no noise_sigma, expected the noise's standard deviation; "
            "give --sigma"
        )
    indices = parse_slices(job.slices, len(sinogram.data))
    size = sinogram.geometry.image_size
    empty = np.zeros((len(sinogram.data), size, size), np.float32)
    volume = Volume(hu=empty, affine=sinogram.affine, positions=sinogram.positions).select(indices)
    study = Study(volume=volume, headers=(), padding=None, source=str(job.source), notes=())
    return Problem(study, volume, sinogram, indices, None, sigma**2)


def reconstruct(job: Job, resume: bool, progress: Callable[[int, int, str], None]) -> list[str]:
    """Run a job and write its output folder.

    Args:
        job: what to do.
        resume: continue `<out>.partial` of an interrupted run of the same job.
        progress: called with slices done, slices in all, and the method at work.

    Returns:
        Notes for the user: what was left out of the study.

    Raises:
        ResampleCTError: anything a user can put right; nothing is left that looks whole.
    """
    if job.out.exists():
        raise OptionError(f"--out {job.out}: exists, expected a new folder; name another one")
    needs_prior = any(name in NEEDS_PRIOR for name in job.methods)
    prior = read_bundle(job.prior, job.device) if needs_prior else None
    window = prior.window if prior else Window()
    methods = build_methods(job.methods, MethodOptions(prior, job.settings, job.fbp_filter))
    problem = _problem(job, window)
    partial = _open_partial(job, resume)
    total, done = len(methods) * len(problem.indices), 0
    for name, method in methods.items():
        for first in range(0, len(problem.indices), job.batch):
            progress(done, total, name)
            stop = min(first + job.batch, len(problem.indices))
            path = partial / "batches" / f"{name}-{first:05d}.npz"
            if not path.exists():
                _reconstruct_batch(job, problem, method, name, first, stop, window, path)
            done += stop - first
    progress(done, total, "writing")
    _write_outputs(job, problem, window, partial, prior and {"name": prior.name, "sha256": prior.sha256})
    os.replace(partial, job.out)
    return list(problem.study.notes)


def _open_partial(job: Job, resume: bool) -> Path:
    partial = job.out.with_name(job.out.name + ".partial")
    record = partial / "job.json"
    if partial.exists():
        if not resume:
            raise OptionError(
                f"{partial}: left by an interrupted run; give --resume to continue it, or delete it"
            )
        if not record.exists() or json.loads(record.read_text()) != job.record():
            raise OptionError(
                f"{record}: was written with other options, expected this command's; repeat the "
                "first command with --resume, or delete the folder"
            )
        return partial
    (partial / "batches").mkdir(parents=True)
    record.write_text(json.dumps(job.record(), indent=2))
    return partial


def _reconstruct_batch(
    job: Job,
    problem: Problem,
    method: Reconstructor,
    name: str,
    first: int,
    stop: int,
    window: Window,
    path: Path,
) -> None:
    indices = problem.indices[first:stop]
    rows = slice(first, stop) if problem.truth is not None else indices
    y = torch.from_numpy(problem.sinogram.data[rows])[:, None].to(job.device)
    measurement = Measurement(
        make_projector(problem.sinogram.geometry, job.device), y, problem.noise_variance
    )
    began = time.perf_counter()
    image = method(measurement, method_generators(job.seed, indices)).clamp(0.0, 1.0)
    seconds = (time.perf_counter() - began) / len(indices)
    residual = measurement.residual(image).tolist()
    image = image.cpu()
    figures: list[tuple[float | None, float | None, float | None]] = [(None, None, None)] * len(
        indices
    )
    if problem.truth is not None:
        figures = list(compare(image, problem.truth[first:stop], window))
    label = problem.study.name
    records = [
        SliceMetrics(name, label, index, *figure, res, seconds).record()
        for index, figure, res in zip(indices, figures, residual, strict=True)
    ]
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, image=image[:, 0].numpy(), records=json.dumps(records))
    os.replace(temporary, path)


def _write_outputs(
    job: Job,
    problem: Problem,
    window: Window,
    partial: Path,
    prior: dict[str, str] | None,
) -> None:
    records: list[dict[str, Any]] = []
    images: dict[str, np.ndarray] = {}
    for name in job.methods:
        batches = sorted((partial / "batches").glob(f"{name}-*.npz"))
        loaded = [np.load(batch) for batch in batches]
        images[name] = np.concatenate([batch["image"] for batch in loaded])
        for batch in loaded:
            records += json.loads(str(batch["records"]))
        volume = Volume(
            hu=window.to_hu(images[name]).astype(np.float32),
            affine=problem.volume.affine,
            positions=problem.volume.positions,
        )
        write_nifti(volume, partial / f"{name}.nii.gz")
        geometry = problem.sinogram.geometry
        described = f"{name}, {geometry.n_angles} parallel views, noise {problem.sinogram.noise}"
        if name in NEEDS_PRIOR and prior:
            described += f", prior {prior['name']} sha256 {prior['sha256'][:16]}"
        derivation = Derivation(
            method=name,
            description=f"{described}, seed {job.seed}, resample-ct {__version__}; research only",
            views=geometry.n_angles,
            image_type_value=name.upper(),
            software_version=__version__,
        )
        write_series(problem.study, volume, partial / "dicom" / name, derivation)
    write_tables(records, partial)
    truth = None if problem.truth is None else problem.truth[:, 0].numpy()
    write_montage(truth, images, problem.indices, window, partial / "montage.png")
    run = {
        "job": job.record(),
        "versions": _versions(),
        "prior": prior,
        "source_series": problem.study.uid,
        "notes": list(problem.study.notes),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "research_only": True,
    }
    (partial / "run.json").write_text(json.dumps(run, indent=2) + "\n")
    for path in (partial / "batches").iterdir():
        path.unlink()
    (partial / "batches").rmdir()
    (partial / "job.json").unlink()


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("torch", "monai", "pydicom", "SimpleITK", "nibabel", "numpy")
    return {"resample-ct": __version__} | {name: version(name) for name in packages}
