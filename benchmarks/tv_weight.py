"""TV's weight at several noise levels, on training slices: what `weight_for_noise` was fitted to.

    python benchmarks/tv_weight.py STUDY [STUDY ...]

Takes the middle slice of each study; prints the mean PSNR for every weight, best weight marked.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch

from resample_ct.io.read import read_study
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.solvers.cg import cgls
from resample_ct.solvers.tv import tv
from resample_ct.values.network_grid import IMAGE_SIZE, network_slices
from resample_ct.values.units import Window

WEIGHTS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@click.command()
@click.argument("studies", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--angles", default=25, show_default=True)
def main(studies: tuple[Path, ...], angles: int) -> None:
    """Measure and print."""
    images = []
    for path in studies:
        study = read_study(path)
        images.append(network_slices(study.select([len(study) // 2]).volume, Window())[0])
    truth = torch.cat(images)
    operator = make_projector(ParallelBeam.uniform(IMAGE_SIZE, angles))
    clean = operator(truth)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    for sigma in (0.01, 0.1, 0.5):
        y = clean + sigma * noise
        start = cgls(operator, y, 10).x.clamp(min=0.0)
        mean = {}
        for weight in WEIGHTS:
            error = (tv(operator, y, weight, start=start).x.clamp(0, 1) - truth).square()
            mean[weight] = float(-10 * error.mean(dim=(1, 2, 3)).log10().mean())
        best = max(mean, key=lambda w: mean[w])
        row = "  ".join(f"{w:g}: {v:.2f}{'*' if w == best else ''}" for w, v in mean.items())
        print(f"sigma {sigma:g}  {row}")


if __name__ == "__main__":
    main()
