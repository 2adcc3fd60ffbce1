"""What a job leaves: DICOM, NIfTI, montage, tables and the record of the run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from resample_ct import __version__
from resample_ct.io.derivation import RESEARCH_ONLY, Derivation
from resample_ct.io.dicom_write import write_series
from resample_ct.io.nifti_write import write_nifti
from resample_ct.io.parametric_map import write_parametric_map, write_spread_series
from resample_ct.io.report_object import write_report
from resample_ct.peak_memory import peak_mb
from resample_ct.reconstruct.methods import METHODS
from resample_ct.run.inputs import Problem
from resample_ct.run.job import Job
from resample_ct.run.montage import choose_rows, write_montage
from resample_ct.run.networks import Models
from resample_ct.run.provenance import made_by
from resample_ct.run.report import report_page, write_tables
from resample_ct.viewer.page import TRUTH, write_viewer

# Of its series: reconstruction, uncertainty map, the map as CT.
_SERIES_A_METHOD = 3
_MONTAGE_SLICES = 2


@dataclass(frozen=True)
class BatchFiles:
    """Finished batches on disk, one file for each method and batch."""

    folder: Path
    count: int
    size: int

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """First and last + 1 place of each batch."""
        starts = range(0, self.count, self.size)
        return [(first, min(first + self.size, self.count)) for first in starts]

    def path(self, method: str, first: int) -> Path:
        """Where a batch's result is kept."""
        return self.folder / f"{method}-{first:05d}.npz"

    def save(
        self,
        method: str,
        first: int,
        image: np.ndarray,
        records: list[dict[str, object]],
        spread: np.ndarray | None,
    ) -> None:
        """Keep a result; the file appears only when it is whole."""
        path = self.path(method, first)
        temporary = path.with_suffix(".tmp.npz")
        spread = np.empty(0, np.float32) if spread is None else spread
        np.savez(temporary, image=image, records=json.dumps(records), spread=spread)
        os.replace(temporary, path)

    def images(self, method: str) -> Iterator[np.ndarray]:
        """The method's slices in order, (row, column), one at a time."""
        for first, _ in self.ranges:
            with np.load(self.path(method, first)) as batch:
                yield from batch["image"]

    def spreads(self, method: str) -> Iterator[np.ndarray]:
        """The standard deviation of each slice, none where the method gave no such thing."""
        for first, _ in self.ranges:
            with np.load(self.path(method, first)) as batch:
                yield from batch["spread"]

    def records(self, method: str) -> list[dict[str, Any]]:
        """The method's figures, a record a slice."""
        found: list[dict[str, Any]] = []
        for first, _ in self.ranges:
            with np.load(self.path(method, first)) as batch:
                found += json.loads(str(batch["records"]))
        return found


@dataclass(frozen=True)
class HuSlices:
    """A method's slices in HU with the source's padding, made anew each time they are gone through.

    However long the volume is, one of them is in memory.
    """

    problem: Problem
    files: BatchFiles
    method: str

    def __iter__(self) -> Iterator[np.ndarray]:
        for index, image in enumerate(self.files.images(self.method)):
            yield self.problem.study.with_padding(self.problem.window.to_hu(image), index)


@dataclass(frozen=True)
class TruthSlices:
    """As `HuSlices`, the source on the same grid in the same HU window: what a method should give."""

    problem: Problem
    load: Callable[[Sequence[int]], torch.Tensor]

    def __iter__(self) -> Iterator[np.ndarray]:
        for place, index in enumerate(self.problem.indices):
            hu = self.problem.window.to_hu(self.load([index])[0, 0].numpy())
            yield self.problem.study.with_padding(hu, place)


def write_outputs(job: Job, problem: Problem, files: BatchFiles, models: Models, folder: Path) -> None:
    """Write everything into a new `folder`."""
    folder.mkdir()
    series = {}
    for name in job.methods:
        derivation = _derivation(job, problem, name, models)
        padded = HuSlices(problem, files, name)
        write_nifti(
            padded,
            problem.grid,
            folder / f"{name}.nii.gz",
            f"{derivation.method}; research only",
            problem.indices,
        )
        # A DICOM series gets its padding where it is written.
        hu = (problem.window.to_hu(image) for image in files.images(name))
        series[name] = write_series(
            problem.study, hu, problem.grid, folder / "dicom" / name, derivation, job.compress
        )
        series |= _write_spread(job, problem, files, name, folder, derivation)
    if problem.load_truth is not None:
        truth = TruthSlices(problem, problem.load_truth)
        described = "Source on this grid; research only"
        write_nifti(truth, problem.grid, folder / f"{TRUTH}.nii.gz", described, problem.indices)
    records = [record for name in job.methods for record in files.records(name)]
    write_tables(records, folder)
    _write_montage(job, problem, files, records, folder / "montage.png")
    _write_report(job, problem, records, folder)
    run = {
        "research_only": True,
        "job": published(job),
        "versions": versions(),
        "models": models.record(),
        "source": published_source(job, problem),
        "measurement": {"views": problem.geometry.n_angles, "noise": problem.noise},
        "series": series,
        "notes": list(problem.study.notes),
        "peak_memory_mb": peak_mb(),
    }
    (folder / "run.json").write_text(json.dumps(run, indent=2) + "\n")
    write_viewer(folder, folder / "view.html")


def _write_spread(
    job: Job, problem: Problem, files: BatchFiles, name: str, folder: Path, derivation: Derivation
) -> dict[str, str]:
    """The method's uncertainty map in HU as NIfTI and DICOM, where it has one; the new series."""
    hu = np.empty((len(problem.indices), *problem.geometry.image_shape), np.float32)
    written = 0
    for spread in files.spreads(name):
        hu[written] = problem.window.width * spread
        written += 1
    if written == 0:
        return {}
    spread_name, dicom = f"{name}-spread", folder / "dicom"
    write_nifti(
        hu,
        problem.grid,
        folder / f"{spread_name}.nii.gz",
        f"{derivation.method}, SD of HU; research only",
        problem.indices,
    )
    map_uid = write_parametric_map(
        problem.study, dicom / name, problem.grid, hu, dicom / f"{spread_name}.dcm", derivation
    )
    if not job.spread_series:
        return {spread_name: map_uid}
    uid = write_spread_series(problem.study, problem.grid, hu, dicom / spread_name, derivation)
    return {spread_name: map_uid, f"{spread_name}-series": uid}


def published(job: Job) -> dict[str, Any]:
    """The options for the record of the run, without paths that may name the patient."""
    return job.record() | ({"source": None, "out": None, "fetched_from": None} if job.deidentify else {})


def published_source(job: Job, problem: Problem) -> dict[str, Any]:
    """What was reconstructed; without the hash by which who has the images could tell whose they are."""
    sha256 = None if job.deidentify else problem.sha256
    return {"name": problem.study.name, "series": problem.study.uid, "sha256": sha256}


def _derivation(job: Job, problem: Problem, name: str, models: Models) -> Derivation:
    views = problem.geometry.n_angles
    told = job.told_settings if name == "resample" else ""
    text = made_by(
        METHODS[name].title,
        f"{views} {problem.geometry.told}",
        problem.noise,
        told,
        models.behind(job, name),
        job.seed,
    )
    title = METHODS[name].title
    return Derivation(title, views, text, __version__, series_place(title))


def series_place(title: str) -> int:
    """Which of the series derived from one source a method's is; its map and the map's series follow.

    A title that is no method's, as the report's, comes behind them all.
    """
    titles = [method.title for method in METHODS.values()]
    return _SERIES_A_METHOD * (titles.index(title) if title in titles else len(titles))


def _write_montage(
    job: Job, problem: Problem, files: BatchFiles, records: list[dict[str, Any]], path: Path
) -> None:
    rows = choose_rows(len(problem.indices), _MONTAGE_SLICES)
    chosen = [problem.indices[row] for row in rows]
    truth = None if problem.load_truth is None else problem.load_truth(chosen)[:, 0].numpy()

    def some(slices: Iterator[np.ndarray]) -> list[np.ndarray]:
        return [value for place, value in enumerate(slices) if place in rows]

    images = {name: np.stack(some(files.images(name))) for name in job.methods}
    spreads = {name: np.stack(found) for name in job.methods if (found := some(files.spreads(name)))}
    write_montage(truth, images, spreads, chosen, records, problem.window, path)


def _write_report(job: Job, problem: Problem, records: list[dict[str, Any]], folder: Path) -> None:
    """The page with the figures and the montage, in the source's study."""
    header = problem.study.headers[0] if problem.study.headers else None
    patient = ("PatientID", "StudyDate", "AccessionNumber")
    facts = {name: str(header.get(name) or "-") for name in patient} if header else {}
    facts |= {
        "Source series": problem.study.name,
        "Slices": f"{len(problem.indices)}, from {problem.indices[0]} to {problem.indices[-1]}",
        "Measurement": f"{problem.geometry.n_angles} {problem.geometry.told}, noise {problem.noise}",
        "Made by": f"resample-ct {__version__}, seed {job.seed}",
    }
    page = report_page(records, folder / "montage.png", facts, RESEARCH_ONLY)
    title = ", ".join(METHODS[name].title for name in job.methods)
    place = series_place("report")
    derivation = Derivation(title, problem.geometry.n_angles, title, __version__, place)
    series = [folder / "dicom" / name for name in job.methods]
    write_report(problem.study, series, page, folder / "dicom" / "report.dcm", derivation)


def versions() -> dict[str, str]:
    """What computed a result."""
    packages = ("torch", "monai", "pydicom", "nibabel", "numpy", "scipy")
    return {"resample-ct": __version__} | {name: version(name) for name in packages}
