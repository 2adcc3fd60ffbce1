"""Where the limits of `reconstruct/trust.py` are from: ReSample on training and held-out slices.

    python benchmarks/trust.py FILE ... [--preset fast] [--angles 25 --angles 12 ...]

FILE is one DICOM slice, or a study whose middle slice is taken; the patients must be those that the prior
was trained on or validated with, never the sample study. Prints the figures and the HU error of each, and
their largest at each number of views.
"""

from __future__ import annotations

import math
from pathlib import Path

import click
import torch

from resample_ct.io.read import read_study
from resample_ct.metrics import compare
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.noise import GaussianNoise
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.resample_settings import PRESETS
from resample_ct.reconstruct.trust import judge
from resample_ct.reconstruct.uncertainty import HasSpread
from resample_ct.run.job import Job
from resample_ct.run.networks import read_models
from resample_ct.run.simulate import method_generators, noisy_projection
from resample_ct.values.network_grid import IMAGE_SIZE, network_slices


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--preset", default="fast", show_default=True, type=click.Choice(tuple(PRESETS)))
@click.option("--angles", multiple=True, default=(25,), show_default=True)
@click.option("--sigma", default=0.01, show_default=True)
def main(files: tuple[Path, ...], preset: str, angles: tuple[int, ...], sigma: float) -> None:
    """Measure and print."""
    job = Job(files[0], Path(), methods=("resample",), preset=preset)
    models = read_models(job)
    assert models.prior is not None
    method = models.methods(job)["resample"]
    assert isinstance(method, HasSpread)
    for views in angles:
        projector = make_projector(ParallelBeam.uniform(IMAGE_SIZE, views))
        found = []
        for path in files:
            study = read_study(path)
            truth, _ = network_slices(study.select([len(study) // 2]).volume, models.prior.window)
            sinogram, _ = noisy_projection(projector, truth, GaussianNoise(sigma), 0, 0)
            measurement = Measurement(projector, sinogram, torch.full((1,), sigma**2))
            solution, spread = method.with_spread(measurement, method_generators(0, [0]))
            image = solution.x.clamp(0, 1)
            (trust,) = judge(models.prior, measurement, image, spread)
            ((_, _, error),) = compare(image, truth, models.prior.window)
            found.append((trust.misfit_share, trust.prior_gap_hu, trust.spread_hu or math.nan, error))
            print(f"{views} views, {path}: {_told(*found[-1])}", flush=True)
        print(f"{views} views, largest: {_told(*map(max, zip(*found, strict=True)))}", flush=True)


def _told(misfit: float, gap: float, spread: float, error: float) -> str:
    """Not-a-number is the spread of a preset that draws one sample."""
    return f"misfit {misfit:.3%}, gap {gap:.1f} HU, spread {spread:.1f} HU, error {error:.1f} HU"


if __name__ == "__main__":
    main()
