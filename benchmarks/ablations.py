"""What each of ReSample's choices gives, on slices that nothing was trained on.

    python benchmarks/ablations.py STUDIES [--rows PATTERN] [--angles 25] [--noise 0.01] [--draws 1]

Every row is a preset with some settings changed. Tune on validation patients only, never on the sample
study. Prints mean PSNR, over the draws of the noise too, and seconds a slice.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean

import click
import torch

from resample_ct.bundles.bundle import read_bundle
from resample_ct.bundles.fbp_unet import read_fbp_unet
from resample_ct.bundles.refiner import read_refiner
from resample_ct.io.read import read_study
from resample_ct.metrics import psnr
from resample_ct.networks.precision import Precision
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.reconstruct.base import Measurement, Reconstructor
from resample_ct.reconstruct.cascade import Cascade
from resample_ct.reconstruct.classical import TV
from resample_ct.reconstruct.fbp_unet import ConsistentFBPUNet, FBPUNet
from resample_ct.reconstruct.methods import METHODS, MethodOptions
from resample_ct.reconstruct.resample_settings import settings_from
from resample_ct.run.simulate import method_generators
from resample_ct.values.network_grid import IMAGE_SIZE, network_slices

# The paper's procedure from pure noise in a twentieth of its steps; gamma in proportion, because
# sigma_t^2 grows with the step.
_SHORT = (
    "steps=50",
    "skip=5",
    "gamma=4",
    "latent_iterations=20",
    "final_latent_iterations=20",
    "latent_rate=0.02",
    "tau=none",
)
ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("balanced", ()),
    ("balanced", ("start_estimate=tv",)),
    ("balanced", ("samples=1",)),
    ("balanced", ("samples=2",)),
    ("balanced", ("samples=4",)),
    ("balanced", ("start_rounds=6",)),
    ("balanced", ("start_rounds=10",)),
    ("balanced", ("start_flips=no",)),
    ("balanced", ("keep_detail=no",)),
    ("balanced", ("start=100", "rounds=2", "samples=2")),
    ("balanced", ("start=50",)),
    ("balanced", ("start=100",)),
    ("balanced", ("start=250",)),
    ("balanced", ("steps=1",)),
    ("balanced", ("steps=8",)),
    ("balanced", ("gamma=1",)),
    ("balanced", ("gamma=40",)),
    ("balanced", ("remap=encode",)),
    ("balanced", ("skip=2",)),
    ("balanced", ("pixel=ridge:0.05,40",)),
    ("balanced", ("pixel=piccs:0.5,15",)),
    ("balanced", ("pixel=piccs:0.3,40",)),
    ("balanced", ("final=piccs:0.3,200",)),
    ("balanced", ("final=piccs:0.7,200",)),
    ("balanced", ("final=piccs:0.5,400",)),
    ("balanced", ("final=none",)),
    ("balanced", ("final_latent_iterations=20", "latent_rate=0.02")),
    ("balanced", ("final_latent_iterations=20", "latent_rule=gauss-newton")),
    ("balanced", ("latent_dps_scale=0.5",)),
    ("balanced", ("variance_rule=code",)),
    *(
        ("paper", (*_SHORT, *change))
        for change in (
            (),
            ("remap=encode",),
            ("gamma=0.4",),
            ("gamma=40",),
            ("skip=1",),
            ("skip=10",),
            ("latent_below=0", "final_latent_iterations=0"),
            ("latent_below=0",),
            ("latent_below=750",),
            ("latent_rule=gauss-newton",),
            ("latent_iterations=60", "final_latent_iterations=60"),
            ("latent_dps_scale=0.5",),
            ("latent_dps_scale=2.5",),
            ("steps=20", "gamma=10"),
            ("steps=100", "gamma=2"),
            ("variance_rule=code",),
            ("tweedie_rule=code",),
            ("look_ahead=5",),
            ("pixel=descent:0.01,200",),
            ("tau=1e-6",),
            ("final=ridge:0.05,50",),
        )
    ),
    ("fast", ()),
    ("fast", ("start_estimate=tv",)),
    ("fast", ("steps=4",)),
    ("fast", ("start=50",)),
    ("fast", ("start=150",)),
)


def read_slices(studies: Path, prior_window: object) -> torch.Tensor:
    """Every slice of every file or series below a folder, (N, 1, 256, 256)."""
    found = []
    for path in sorted(studies.rglob("*.dcm")):
        found.append(network_slices(read_study(path).volume, prior_window)[0])  # type: ignore[arg-type]
    return torch.cat(found)


@click.command()
@click.argument("studies", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--rows", default=".*", help="Only rows that match.")
@click.option("--prior", type=click.Path(exists=True, path_type=Path), help="A bundle.")
@click.option("--refiner", type=click.Path(exists=True, path_type=Path), help="A bundle.")
@click.option("--angles", default=25, show_default=True, type=click.IntRange(2))
@click.option("--noise", default=0.01, show_default=True)
@click.option("--draws", default=1, show_default=True, type=click.IntRange(1), help="Of the noise.")
@click.option("--precision", default="float32", type=click.Choice(["float32", "bfloat16"]))
def main(
    studies: tuple[Path, ...],
    rows: str,
    prior: Path | None,
    refiner: Path | None,
    angles: int,
    noise: float,
    draws: int,
    precision: Precision,
) -> None:
    """Measure and print."""
    model = replace(read_bundle(prior), precision=precision)
    network = replace(read_fbp_unet(), precision=precision)
    second = replace(read_refiner(refiner), precision=precision)
    truth = torch.cat([read_slices(folder, model.window) for folder in studies])
    operator = make_projector(ParallelBeam.uniform(IMAGE_SIZE, angles))
    clean = operator(truth)
    indices = range(len(truth))
    variance = torch.full((len(truth),), noise**2)

    def show(name: str, method: Reconstructor) -> None:
        began, values = time.perf_counter(), []
        for draw in range(draws):
            drawn = torch.randn(clean.shape, generator=torch.Generator().manual_seed(draw))
            measurement = Measurement(operator, clean + noise * drawn, variance)
            image = method(measurement, method_generators(draw, indices)).x
            values.append(float(psnr(image.clamp(0, 1), truth).mean()))
        seconds = (time.perf_counter() - began) / len(truth) / draws
        print(f"| {name} | {mean(values):.3f} | {seconds:.1f} |", flush=True)

    print("| what | PSNR (dB) | s / slice |\n|---|---|---|")
    cheap: dict[str, Reconstructor] = {
        "TV": TV(),
        "FBP-UNet": FBPUNet(network),
        "FBP-UNet, then PICCS": ConsistentFBPUNet(network),
        "Cascade": Cascade(network, second),
    }
    for name, method in cheap.items():
        if re.search(rows, name):
            show(name, method)
    for preset, changes in ROWS:
        shortened = changes[: len(_SHORT)] == _SHORT
        named = ("shortened", *changes[len(_SHORT) :]) if shortened else changes
        name = " ".join((preset, *named))
        if not re.search(rows, name):
            continue
        settings = settings_from(preset, changes)
        networks = {"prior": model, "fbp-unet": network, "refiner": second}
        show(name, METHODS["resample"].build(networks, MethodOptions(settings=settings)))


if __name__ == "__main__":
    main()
