"""What a fine-tuning step of a model of the released FFHQ model's size takes: seconds and peak memory.

    python benchmarks/full_size.py STUDIES --hold-out PATIENT,... [--train unet] [--batch 1] [--recompute]

The weights are random numbers in the released layout; a step does not know the difference. The command
itself is run for four steps, whose times are read from its TensorBoard record; the first is left out.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from resample_ct.bundles.bundle import half_precision, write_bundle
from resample_ct.bundles.card import LatentPriorCard
from resample_ct.networks.settings import UNetSettings, VQAutoencoderSettings

FULL_SIZE = LatentPriorCard(
    name="full-size",
    description="Random weights in the released FFHQ layout.",
    authors="",
    data_source="",
    licence="",
    autoencoder=VQAutoencoderSettings(),
    unet=UNetSettings(
        channels=(224, 448, 672, 896),
        latent_channels=3,
        num_res_blocks=2,
        attention_levels=(False, True, True, True),
    ),
    latent_scale=1.0,
)


@click.command()
@click.argument("studies", type=click.Path(exists=True, path_type=Path))
@click.option("--hold-out", required=True)
@click.option("--train", "part", type=click.Choice(["unet", "autoencoder"]), default="unet")
@click.option("--batch", default=1, show_default=True)
@click.option("--recompute", is_flag=True)
def main(studies: Path, hold_out: str, part: str, batch: int, recompute: bool) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "full-size"
        torch.manual_seed(0)
        networks = {name: settings.build() for name, settings in FULL_SIZE.networks.items()}
        millions = {name: sum(p.numel() for p in n.parameters()) / 1e6 for name, n in networks.items()}
        write_bundle(start, FULL_SIZE, {name: half_precision(n) for name, n in networks.items()})
        del networks
        options = ["--data", studies, "--hold-out", hold_out, "--init", start, "--train", part]
        options += ["--batch", batch, "--validate-every", 0, *(["--recompute"] if recompute else [])]
        began = time.perf_counter()
        command = [sys.executable, "-m", "resample_ct", "fine-tune", *options, "--steps", 4]
        subprocess.run([*map(str, command), "--out", f"{folder}/trained"], check=True)
        whole = time.perf_counter() - began
        (events,) = Path(folder, "trained.training").rglob("events.out.*")
        record = EventAccumulator(str(events))
        record.Reload()
        times = [event.wall_time for event in record.Scalars("loss")]
    step = (times[-1] - times[0]) / (len(times) - 1)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    print(", ".join(f"{name} {size:.0f} M weights" for name, size in millions.items()))
    print(
        f"--train {part} --batch {batch}{' --recompute' * recompute}: {step:.1f} s a step, "
        f"{whole:.0f} s for a whole run of four, {peak:.1f} GB at the peak"
    )


if __name__ == "__main__":
    main()
