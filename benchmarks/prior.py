"""What the prior itself can do: its autoencoder's ceiling, and slices that it makes up.

    python benchmarks/prior.py [--prior BUNDLE] [--samples docs/images/samples.png]

Prints PSNR of D(E(x)) on the sample study, which nothing was trained on, and draws a grid of samples.
"""

from __future__ import annotations

from pathlib import Path

import click
import matplotlib
import torch

from fine_tune.pictures import grid
from resample_ct.bundles.bundle import read_bundle
from resample_ct.io.read import read_study
from resample_ct.metrics import psnr
from resample_ct.reconstruct.sampling import unconditional_samples
from resample_ct.values.network_grid import network_slices

matplotlib.use("Agg")
SAMPLE = Path(__file__).parent.parent / "sample_data" / "Lung_Dx-A0002" / "3-B40f"


@click.command()
@click.option("--prior", type=click.Path(exists=True, path_type=Path), help="A bundle.")
@click.option("--samples", type=click.Path(path_type=Path), help="PNG of a grid of samples.")
@click.option("--steps", default=100, show_default=True, help="Of DDIM for the samples.")
@click.option("--count", default=16, show_default=True, help="Samples, a multiple of four.")
def main(prior: Path | None, samples: Path | None, steps: int, count: int) -> None:
    """Measure, print and draw."""
    model = read_bundle(prior)
    truth = network_slices(read_study(SAMPLE).volume, model.window)[0]
    with torch.no_grad():
        through = torch.cat([model.decode(model.encode(part)) for part in truth.split(4)]).clamp(0, 1)
        shape = model.encode(truth[:1]).shape[1:]
    values = psnr(through, truth)
    print(f"D(E(x)): {float(values.mean()):.2f} dB (lowest {float(values.min()):.2f})")
    if samples is not None:
        seeds = [torch.Generator().manual_seed(seed) for seed in range(count)]
        drawn = [unconditional_samples(model, shape, steps, seeds[i : i + 4]) for i in range(0, count, 4)]
        matplotlib.image.imsave(samples, grid(torch.cat(drawn).clamp(0, 1)).numpy(), cmap="gray")
        print(f"{samples}: {count} samples, {steps} steps each")


if __name__ == "__main__":
    main()
