"""Peak memory over the loaded networks and projector, for a batch of 8.

    python benchmarks/memory.py [--preset balanced] [--batch 8]

Linux only: the kernel's peak is set back before the run.
"""

from __future__ import annotations

import re
from pathlib import Path

import click
import torch

from resample_ct.bundles.bundle import read_bundle
from resample_ct.bundles.fbp_unet import read_fbp_unet
from resample_ct.bundles.refiner import read_refiner
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.resample import ReSample
from resample_ct.reconstruct.resample_settings import PRESETS
from resample_ct.run.simulate import method_generators


def kilobytes(name: str) -> int:
    """A line of the process's status."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


@click.command()
@click.option("--preset", default="balanced", show_default=True)
@click.option("--batch", default=8, show_default=True)
def main(preset: str, batch: int) -> None:
    """Measure and print."""
    networks = read_fbp_unet(), read_refiner()
    method = ReSample.started(read_bundle(), *networks, settings=PRESETS[preset])
    operator = make_projector(ParallelBeam.uniform(256, 25))
    image = torch.zeros(batch, 1, 256, 256)
    image[..., 64:192, 64:192] = 0.3
    noise = 0.01 * torch.randn(
        batch, 1, *operator.range_shape, generator=torch.Generator().manual_seed(0)
    )
    measurement = Measurement(operator, operator(image) + noise, torch.full((batch,), 1e-4))
    Path("/proc/self/clear_refs").write_text("5")
    before = kilobytes("VmRSS")
    method(measurement, method_generators(0, range(batch)))
    print(
        f"Batch of {batch}, `{preset}`: {before / 1e3:.0f} MB with networks and projector loaded, "
        f"{(kilobytes('VmHWM') - before) / 1e3:.0f} MB more at the peak."
    )


if __name__ == "__main__":
    main()
