"""The README's table: every method on the shipped series, 25 views, sigma_y = 0.01.

    python benchmarks/figures.py [--slices 0:30] [--presets balanced,fast]

Prints mean PSNR, SSIM, HU error and seconds of each method, and ReSample's margins.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import fmean

import click

from resample_ct.progress import progress_bar
from resample_ct.reconstruct.resample_settings import PRESETS, settings_from
from resample_ct.run import pipeline
from resample_ct.run.job import Job

SAMPLE = Path(__file__).parent.parent / "sample_data" / "Lung_Dx-A0002" / "3-B40f"


@click.command()
@click.option("--study", default=SAMPLE, type=click.Path(exists=True, path_type=Path))
@click.option("--slices", default=None)
@click.option("--presets", default="balanced,fast", show_default=True)
@click.option("--noise", default="gaussian:0.01", show_default=True)
@click.option("--angles", default=25, show_default=True)
def main(study: Path, slices: str | None, presets: str, noise: str, angles: int) -> None:
    """Measure and print."""
    chosen = presets.split(",")
    assert set(chosen) <= set(PRESETS), f"--presets: expected some of {', '.join(PRESETS)}"
    means = {}
    with tempfile.TemporaryDirectory() as temporary, progress_bar() as progress:
        classical = ("fbp", "cgls", "sirt", "tv", "fbp-unet", "cascade")
        runs = [(classical, "fast"), *((("resample",), preset) for preset in chosen)]
        for number, (methods, preset) in enumerate(runs):
            out = Path(temporary) / str(number)
            settings = settings_from(preset)
            job = Job(study, out, methods, angles, noise, slices=slices, preset=preset, settings=settings)
            pipeline.reconstruct(job, resume=False, progress=progress)
            records = json.loads((out / "metrics.json").read_text())
            for method in methods:
                name = f"{method} ({preset})" if method == "resample" else method
                mine = [r for r in records if r["method"] == method]
                keys = ("psnr", "ssim", "rmse_hu", "residual", "seconds")
                means[name] = {key: fmean(r[key] for r in mine) for key in keys}
    print("| method | PSNR (dB) | SSIM | RMSE (HU) | data residual | s / slice |")
    print("|---|---|---|---|---|---|")
    for name, m in means.items():
        print(
            f"| {name} | {m['psnr']:.2f} | {m['ssim']:.3f} | {m['rmse_hu']:.1f} | "
            f"{m['residual']:.2g} | {m['seconds']:.2f} |"
        )
    for name, m in means.items():
        if name.startswith("resample"):
            over = {base: m["psnr"] - means[base]["psnr"] for base in ("fbp", "tv", "fbp-unet")}
            print("\n" + name + ": " + ", ".join(f"{gain:+.2f} dB over {b}" for b, gain in over.items()))


if __name__ == "__main__":
    main()
