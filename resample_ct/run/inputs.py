"""What a job has to reconstruct: sinograms a batch at a time, their place, and the truth if known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from pydicom.dataset import Dataset

from resample_ct.errors import OptionError
from resample_ct.io.deidentify import deidentify, secret_of_run
from resample_ct.io.identity_guard import refuse_identified
from resample_ct.io.plausible import above
from resample_ct.io.read import read_study
from resample_ct.io.study import Study, sha256_of
from resample_ct.physics.geometry import Geometry
from resample_ct.physics.noise import attenuation_per_unit, parse_noise
from resample_ct.run.job import Job
from resample_ct.run.measured import read_measured
from resample_ct.run.simulate import simulate
from resample_ct.run.slices import parse_slices
from resample_ct.scan_import.importing import is_scan
from resample_ct.values.network_grid import IMAGE_SIZE, network_slices
from resample_ct.values.units import Window
from resample_ct.values.volume import Grid


@dataclass(frozen=True)
class Batch:
    """Some slices: their sinograms, their noise, and what they should look like if that is known."""

    indices: tuple[int, ...]
    sinogram: torch.Tensor
    noise_variance: torch.Tensor
    truth: torch.Tensor | None


@dataclass(frozen=True)
class Source:
    """A study as a job reads it, and the slices of it that the job wants.

    Attributes:
        study: whole.
        indices: places of the wanted slices.
        sha256: of their HU, see `Study.sha256`.
    """

    study: Study
    indices: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class Problem:
    """A job's slices.

    Attributes:
        study: the chosen slices of the source; without pixels behind a measured sinogram.
        grid: where the reconstructed slices lie.
        indices: the slices' places in the whole source.
        geometry: the rays.
        window: HU window that the attenuation is relative to.
        noise: in words.
        load: makes or reads the sinograms of some slices.
        sha256: of the slices' HU, or of their measured sinograms and noise.
        load_truth: what some slices should look like, (N, 1, H, W) in [0, 1]; None where nobody knows.
    """

    study: Study
    grid: Grid
    indices: tuple[int, ...]
    geometry: Geometry
    window: Window
    noise: str
    load: Callable[[Sequence[int]], Batch]
    sha256: str
    load_truth: Callable[[Sequence[int]], torch.Tensor] | None = None

    @property
    def identity(self) -> str:
        """A hash of all that the results come from: values, rays, noise and place."""
        parts = (self.sha256, self.geometry, self.window, self.noise, self.grid.affine.tolist())
        return hashlib.sha256(f"{parts} {self.grid.positions.tolist()}".encode()).hexdigest()

    def with_notes(self, notes: Sequence[str]) -> Problem:
        """The same, with more for the user to read."""
        return replace(self, study=replace(self.study, notes=(*self.study.notes, *notes)))


def pose(job: Job, window: Window | None) -> Problem:
    """Read a job's source.

    Args:
        job: names a study, whose sinograms are then simulated, or a sinogram file.
        window: the prior's HU window, None when no prior takes part.

    Raises:
        ResampleCTError: a source that cannot be read, or does not fit the prior.
    """
    if is_scan(job.source):
        return _measured(job, window)
    return pose_simulated(job, read_source(job, window), window)


def read_source(job: Job, window: Window | None) -> Source:
    """Read a job's study; its notes tell what lies above the window.

    Raises ResampleCTError where that cannot be done, or has no such slices.
    """
    study = _named_or_not(job, read_study(job.source, job.series))
    indices = tuple(parse_slices(job.slices, len(study)))
    chosen = study.select(indices)
    clipped = notes_on_window(chosen, window or Window())
    return Source(replace(study, notes=(*study.notes, *clipped)), indices, chosen.sha256())


def pose_simulated(job: Job, source: Source, window: Window | None) -> Problem:
    """Slices of a study that was read before, behind simulated sinograms; else as `pose`."""
    study, indices = source.study, source.indices
    used = window or Window()
    grid = study.grid.resized(IMAGE_SIZE)
    # Refused now rather than when the first batch is simulated.
    parse_noise(job.noise, grid.spacing_mm[0], used)
    if job.kvp is not None:
        attenuation_per_unit(grid.spacing_mm[0], used)

    def load(some: Sequence[int]) -> Batch:
        sinogram, truth = simulate(study, some, job.scan, job.seed, used, job.device)
        assert sinogram.noise_sigma is not None
        return _batch(some, sinogram.data, sinogram.noise_sigma, truth)

    def load_truth(some: Sequence[int]) -> torch.Tensor:
        return network_slices(study.select(some).volume, used)[0]

    return Problem(
        study=study.select(indices),
        grid=grid.select(indices),
        indices=indices,
        geometry=job.scan.rays(grid.spacing_mm[0]),
        window=used,
        noise=f"{job.noise} ({job.scan.told})",
        load=load,
        sha256=source.sha256,
        load_truth=load_truth,
    )


def notes_on_window(study: Study, window: Window) -> list[str]:
    """What of a study lies above a window and is lost: metal, and the densest bone.

    Raises StudyError for a slice that cannot be decoded.
    """
    counts = [above(study.pixels(index), window.upper) for index in range(len(study))]
    slices = sum(count > 0 for count in counts)
    if slices == 0:
        return []
    return [
        f"{sum(counts)} pixels in {slices} of {len(counts)} slices lie above {window.upper:g} HU and are "
        f"clipped to the window of {window.lower:g} to {window.upper:g} HU"
    ]


def _named_or_not(job: Job, study: Study) -> Study:
    """The study, without what names the patient where that was asked for."""
    study = deidentify(study, secret_of_run()) if job.deidentify else study
    refuse_identified(study.headers, job.out)
    return study


def _batch(
    indices: Sequence[int], data: np.ndarray, sigma: np.ndarray, truth: torch.Tensor | None
) -> Batch:
    return Batch(
        indices=tuple(indices),
        sinogram=torch.from_numpy(data)[:, None],
        noise_variance=torch.from_numpy(sigma**2).float(),
        truth=truth,
    )


def _measured(job: Job, window: Window | None) -> Problem:
    sinogram = read_measured(job)
    if window is not None and sinogram.window != window:
        raise OptionError(
            f"{job.source}: attribute window_hu: found {sinogram.window}, expected the prior's "
            f"{window}; simulate again, or choose another --prior"
        )
    if window is not None and sinogram.geometry.image_size != IMAGE_SIZE:
        raise OptionError(
            f"{job.source}: attribute image_size: found {sinogram.geometry.image_size}, expected "
            f"{IMAGE_SIZE}, the prior's; rebin to that grid, or use a classical --method"
        )
    sigma = sinogram.noise_sigma
    assert sigma is not None
    indices = tuple(parse_slices(job.slices, len(sinogram.data)))

    def load(some: Sequence[int]) -> Batch:
        rows = list(some)
        return _batch(some, sinogram.data[rows], sigma[rows], None)

    source = Study(
        name=sinogram.source,
        grid=sinogram.grid,
        headers=tuple(Dataset.from_json(text) for text in sinogram.source_headers),
        load=None,
        order=tuple(range(len(sinogram.data))),
        notes=sinogram.notes,
    )
    study = _named_or_not(job, source)
    return Problem(
        study=study.select(indices),
        grid=sinogram.grid.select(indices),
        indices=indices,
        geometry=sinogram.geometry,
        window=sinogram.window,
        noise=sinogram.noise,
        load=load,
        sha256=sha256_of([sinogram.data[list(indices)], sigma[list(indices)]]),
    )
