"""`resample-ct compare`: parse and call."""

from __future__ import annotations

from pathlib import Path

import click

_PRESETS = ("paper", "natural", "general", "balanced", "fast")


@click.command()
@click.argument("studies", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New output folder.")
@click.option(
    "--method",
    "methods",
    multiple=True,
    default=("fbp", "tv", "fbp-unet", "resample"),
    show_default=True,
    help="Of docs/methods.md; repeat for several.",
)
@click.option("--noise", "noises", multiple=True, default=("gaussian:0.01",), show_default=True)
@click.option("--angles", multiple=True, default=(25,), show_default=True, type=click.IntRange(2))
@click.option("--lesions", is_flag=True, help="Count lesions kept and invented; twice the time.")
@click.option("--preset", default="balanced", show_default=True, type=click.Choice(_PRESETS))
@click.option("--set", "overrides", multiple=True, help="A ReSample setting, as gamma=40; repeats.")
@click.option("--slices", help="Of every study: 10:20, 3,7,9 or one number, counted from 0.")
@click.option("--prior", type=click.Path(path_type=Path), help="A bundle; default: the shipped one.")
@click.option("--fbp-unet", type=click.Path(path_type=Path), help="A bundle; default: the shipped one.")
@click.option("--refiner", type=click.Path(path_type=Path), help="A bundle; default: the shipped one.")
@click.option("--pixel-prior", type=click.Path(path_type=Path), help="Of dps, mcg, ddrm, dmps, dds.")
@click.option("--dncnn", type=click.Path(path_type=Path), help="Denoiser's bundle of admm-pnp.")
@click.option("--unet-denoiser", type=click.Path(path_type=Path), help="Denoiser's bundle of pnp-unet.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--batch", default=4, show_default=True, type=click.IntRange(1))
@click.option("--device", default="cpu", show_default=True)
@click.option("--deidentify", is_flag=True, help="Take what names the patient out of every output.")
@click.option("--resume", is_flag=True, help="Continue an interrupted run of the same command.")
def compare(
    studies: tuple[Path, ...],
    out: Path,
    methods: tuple[str, ...],
    noises: tuple[str, ...],
    angles: tuple[int, ...],
    lesions: bool,
    preset: str,
    overrides: tuple[str, ...],
    slices: str | None,
    prior: Path | None,
    fbp_unet: Path | None,
    refiner: Path | None,
    pixel_prior: Path | None,
    dncnn: Path | None,
    unet_denoiser: Path | None,
    seed: int,
    batch: int,
    device: str,
    deidentify: bool,
    resume: bool,
) -> None:
    """Compare methods on STUDIES, at every noise and number of views, and write a report."""
    from resample_ct.comparison.conditions import Comparison
    from resample_ct.comparison.run import compare as run
    from resample_ct.device import check_device
    from resample_ct.job import Job
    from resample_ct.progress import progress_bar
    from resample_ct.reconstruct.resample_settings import settings_from

    check_device(device)
    common = Job(
        source=studies[0],
        out=out,
        methods=tuple(dict.fromkeys(methods)),
        slices=slices,
        seed=seed,
        batch=batch,
        device=device,
        prior=prior,
        fbp_unet=fbp_unet,
        refiner=refiner,
        pixel_prior=pixel_prior,
        dncnn=dncnn,
        unet_denoiser=unet_denoiser,
        preset=preset,
        settings=settings_from(preset, overrides),
        deidentify=deidentify,
    )
    comparison = Comparison(common, studies, noises, angles, lesions)
    with progress_bar() as progress:
        notes = run(comparison, resume, progress)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{out}: report.html, results.json, results.csv. Research only.")
