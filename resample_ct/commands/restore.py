"""`resample-ct restore`: parse and call."""

from __future__ import annotations

from pathlib import Path

import click

_TASKS = ("super-resolution", "inpainting", "gaussian-deblur", "nonlinear-deblur")


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--task", required=True, type=click.Choice(_TASKS))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New output folder.")
@click.option("--prior", type=click.Path(path_type=Path), help="A bundle; default: the shipped one.")
@click.option("--preset", default="general", show_default=True, type=click.Choice(("general", "natural")))
@click.option("--set", "overrides", multiple=True, help="A ReSample setting, as gamma=40; repeats.")
@click.option("--sigma", default=0.01, show_default=True, type=click.FloatRange(0), help="Noise to add.")
@click.option("--slices", help="Of a study: 10:20, 3,7,9 or one number, counted from 0.")
@click.option("--series", help="SeriesInstanceUID, where the study holds several.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--device", default="cpu", show_default=True)
def restore(
    source: Path,
    task: str,
    out: Path,
    prior: Path | None,
    preset: str,
    overrides: tuple[str, ...],
    sigma: float,
    slices: str | None,
    series: str | None,
    seed: int,
    device: str,
) -> None:
    """Degrade SOURCE, a PNG image or a study's slices, and restore it by ReSample."""
    from resample_ct.device import check_device
    from resample_ct.progress import progress_bar
    from resample_ct.reconstruct.resample_settings import settings_from
    from resample_ct.run import restore as restoring

    check_device(device)
    job = restoring.RestoreJob(
        source=source,
        out=out,
        task=task,
        prior=prior,
        preset=preset,
        settings=settings_from(preset, overrides),
        sigma=sigma,
        slices=slices,
        series=series,
        seed=seed,
        device=device,
    )
    with progress_bar() as progress:
        records = restoring.restore(job, progress)
    for record in records:
        click.echo(
            f"image {record['image']}: PSNR {record['psnr']:.2f} dB, SSIM {record['ssim']:.3f}, "
            f"residual {record['residual']:.3g}"
        )
    click.echo(f"{out}: restored and degraded images, metrics.json, run.json. Research only.")
