"""Whether ReSample's spread is the error to expect, on slices that nothing was trained on.

    python benchmarks/calibration.py STUDIES [--preset balanced] [--set samples=3]

Fits the weights of `resample_ct.reconstruct.uncertainty` to the squared errors by non-negative least
squares, and prints how often the truth lies within 1, 2 and 3 spreads of the result, in and around the
body. Fit on validation patients only, never on the sample study.
"""

from __future__ import annotations

import math
from pathlib import Path

import click
import numpy as np
import torch
from ablations import read_slices
from scipy.optimize import nnls

from resample_ct.bundles.bundle import read_bundle
from resample_ct.bundles.fbp_unet import read_fbp_unet
from resample_ct.bundles.refiner import read_refiner
from resample_ct.comparison.coverage import Coverage, inhabited
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.methods import METHODS, MethodOptions
from resample_ct.reconstruct.resample import ReSample
from resample_ct.reconstruct.resample_settings import settings_from
from resample_ct.reconstruct.uncertainty import expected_error, spread_terms
from resample_ct.run.simulate import method_generators
from resample_ct.values.network_grid import IMAGE_SIZE


@click.command()
@click.argument("studies", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--preset", default="balanced", show_default=True)
@click.option("--set", "overrides", multiple=True)
@click.option("--noise", default=0.01, show_default=True)
def main(studies: tuple[Path, ...], preset: str, overrides: tuple[str, ...], noise: float) -> None:
    """Measure and print."""
    prior, network = read_bundle(), read_fbp_unet()
    settings = settings_from(preset, overrides)
    networks = {"prior": prior, "fbp-unet": network, "refiner": read_refiner()}
    method = METHODS["resample"].build(networks, MethodOptions(settings=settings))
    assert isinstance(method, ReSample)
    truth = torch.cat([read_slices(folder, prior.window) for folder in studies])
    operator = make_projector(ParallelBeam.uniform(IMAGE_SIZE, network.n_angles))
    clean = operator(truth)
    y = clean + noise * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    measurement = Measurement(operator, y, torch.full((len(truth),), noise**2))
    found, samples = method.with_samples(measurement, method_generators(0, range(len(truth))))
    image = found.x
    body = inhabited(image, truth)
    error = (image - truth)[body]
    variance, distance = (term[body].numpy() for term in spread_terms(samples, image))
    terms = np.stack([variance, distance, np.ones_like(variance)], axis=1)
    # Weighted by their size, or the few large errors at edges would decide alone.
    scale = 1 / (variance + distance + 1e-5)
    weights, _ = nnls(terms * scale[:, None], error.square().numpy() * scale)
    print(
        f"fitted: samples {weights[0]:.3g}, distance {weights[1]:.3g}, floor {math.sqrt(weights[2]):.3g}"
    )
    spread = expected_error(samples, image)
    counts = Coverage()
    for parts in zip(image, truth, spread, strict=True):
        counts.add(*(part[0].numpy() for part in parts))
    found = counts.record(prior.window.width)
    assert found is not None
    print(f"RMS error {found['rms_error_hu']:.1f} HU, RMS spread {found['rms_spread_hu']:.1f} HU")
    print("| within | share | of a normal distribution |\n|---|---|---|")
    for k, share in found["within"].items():
        print(f"| {k} spreads | {share:.3f} | {math.erf(int(k) / math.sqrt(2)):.3f} |")


if __name__ == "__main__":
    main()
