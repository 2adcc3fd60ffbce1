"""What a slice could gain from its neighbours: the best that any through-plane pull could give.

    python benchmarks/neighbours.py STUDY [--series UID] [--slices 26:38] [--angles 25] [--sigma 0.01]

A through-plane penalty, or a warm start, moves a slice towards the mean of its two neighbours. The truth
tells how far along that way it should go, and how much nearer it then is: no weight of such a pull gains
more. Prints that share and gain for TV and for the cascade.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch

from resample_ct.bundles.fbp_unet import read_fbp_unet
from resample_ct.bundles.refiner import read_refiner
from resample_ct.io.read import read_study
from resample_ct.metrics import psnr
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.reconstruct.base import Measurement, Reconstructor
from resample_ct.reconstruct.cascade import Cascade
from resample_ct.reconstruct.classical import TV
from resample_ct.run.simulate import method_generators
from resample_ct.values.network_grid import IMAGE_SIZE, network_slices


def best_pull(image: torch.Tensor, truth: torch.Tensor) -> tuple[float, float]:
    """The share of the way to the neighbours' mean that is best, and its gain in dB.

    Args:
        image: (N, 1, H, W) reconstructed neighbours, in order.
        truth: the same, true.
    """
    error = (truth - image)[1:-1]
    way = (image[:-2] + image[2:]) / 2 - image[1:-1]
    along, length = float((error * way).sum()), float((way * way).sum())
    left = 1.0 - along**2 / (length * float((error * error).sum()))
    return along / length, float(-10.0 * torch.log10(torch.tensor(left)))


@click.command()
@click.argument("study", type=click.Path(exists=True, path_type=Path))
@click.option("--series", help="SeriesInstanceUID, where several are found.")
@click.option("--slices", default="26:38", show_default=True, help="first:end")
@click.option("--angles", default=25, show_default=True)
@click.option("--sigma", default=0.01, show_default=True)
def main(study: Path, series: str | None, slices: str, angles: int, sigma: float) -> None:
    """Measure and print."""
    first, end = map(int, slices.split(":"))
    chosen = read_study(study, series).select(range(first, end))
    network = read_fbp_unet()
    truth, _ = network_slices(chosen.volume, network.window)
    projector = make_projector(ParallelBeam.uniform(IMAGE_SIZE, angles))
    noise = torch.randn(projector(truth).shape, generator=torch.Generator().manual_seed(0))
    measurement = Measurement(
        projector, projector(truth) + sigma * noise, torch.full((len(truth),), sigma**2)
    )
    methods: dict[str, Reconstructor] = {"TV": TV(), "cascade": Cascade(network, read_refiner())}
    for name, method in methods.items():
        image = method(measurement, method_generators(0, range(len(truth)))).x.clamp(0.0, 1.0)
        share, gain = best_pull(image, truth)
        mean = float(psnr(image, truth).mean())
        print(f"{name}: {mean:.2f} dB, best share {share:.3f}, gain {gain:.3f} dB")
    between = (truth[:-2] + truth[2:]) / 2
    print(f"the neighbours' mean itself: {float(psnr(between, truth[1:-1]).mean()):.2f} dB")


if __name__ == "__main__":
    main()
