"""The command line: parse and call. Heavy imports wait until a command runs, so `--help` is quick."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import click

from resample_ct.compare_command import compare
from resample_ct.convert_command import convert
from resample_ct.errors import ResampleCTError
from resample_ct.rebin_command import rebin

_METHOD_NAMES = (
    "resample",
    "fbp",
    "cgls",
    "sirt",
    "tv",
    "fbp-unet",
    "cascade",
    "pnp-unet",
    "admm-pnp",
    "dps",
    "mcg",
    "ddrm",
    "dmps",
    "dds",
    "latent-dps",
    "psld",
    "latent-daps",
)
_COMPRESSIONS = ("rle", "jpeg-ls", "jpeg2000")
_TASKS = ("super-resolution", "inpainting", "gaussian-deblur", "nonlinear-deblur")
_FILTERS = ("ramp", "hann", "shepp-logan", "cosine")


class _Commands(click.Group):
    """Turns the errors a user can put right into one line and exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ResampleCTError as error:
            raise click.ClickException(str(error)) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "fine-tune", "node"])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name == "fine-tune":
            from fine_tune.cli import fine_tune

            return fine_tune
        if name == "node":
            from resample_ct.node.cli import node

            return node
        return super().get_command(ctx, name)


@click.group(cls=_Commands)
@click.version_option(package_name="resample-ct")
def main() -> None:
    """Sparse-view CT reconstruction with a latent diffusion prior. Research only."""


main.add_command(compare)
main.add_command(convert)
main.add_command(rebin)


@main.command()
@click.argument("study", type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New HDF5 file.")
@click.option("--angles", default=25, show_default=True, type=click.IntRange(2))
@click.option("--noise", default="gaussian:0.01", show_default=True)
@click.option("--slices", help="10:20, 3,7,9 or one number, counted from 0 along the normal.")
@click.option("--series", help="SeriesInstanceUID, where the study holds several.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--device", default="cpu", show_default=True)
@click.option("--deidentify", is_flag=True, help="Take what names the patient out of every output.")
def simulate(
    study: Path,
    out: Path,
    angles: int,
    noise: str,
    slices: str | None,
    series: str | None,
    seed: int,
    device: str,
    deidentify: bool,
) -> None:
    """Simulate parallel-beam sinograms of STUDY and save them."""
    from resample_ct import measure
    from resample_ct.device import check_device
    from resample_ct.io.deidentify import deidentify as without_identity
    from resample_ct.io.deidentify import secret_of_run
    from resample_ct.io.research_folder import refuse_identified
    from resample_ct.io.study import read_study
    from resample_ct.physics.sinogram_file import write_sinogram
    from resample_ct.progress import progress_bar
    from resample_ct.units import Window

    check_device(device)
    whole = read_study(study, series)
    if deidentify:
        whole = without_identity(whole, secret_of_run())
    refuse_identified(whole.headers, out)
    indices = measure.parse_slices(slices, len(whole))
    with progress_bar() as progress:
        sinogram, _ = measure.simulate(whole, indices, angles, noise, seed, Window(), device, progress)
        progress(len(indices), len(indices), "writing")
    write_sinogram(sinogram, out)
    for note in whole.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{out}: {len(indices)} sinograms of {angles} views, noise {noise}")


class _Source(click.Path):
    """A path that exists, or a DICOMweb URL as it was given."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        if isinstance(value, str) and value.startswith("dicomweb+"):
            return value
        return super().convert(value, param, ctx)


@main.command()
@click.argument("source", type=_Source(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New output folder.")
@click.option(
    "--method",
    "methods",
    multiple=True,
    default=("fbp", "tv", "resample"),
    show_default=True,
    type=click.Choice(_METHOD_NAMES),
    help="Repeat for several.",
)
@click.option(
    "--preset",
    default="balanced",
    show_default=True,
    type=click.Choice(("paper", "natural", "general", "balanced", "fast")),
)
@click.option("--set", "overrides", multiple=True, help="A ReSample setting, as gamma=40; repeats.")
@click.option("--angles", default=25, show_default=True, type=click.IntRange(2))
@click.option("--noise", default="gaussian:0.01", show_default=True)
@click.option("--sigma", type=float, help="Noise of a measured sinogram that does not state it.")
@click.option("--slices", help="10:20, 3,7,9 or one number, counted from 0 along the normal.")
@click.option("--series", help="SeriesInstanceUID, where the study holds several.")
@click.option("--prior", type=click.Path(path_type=Path), help="A bundle; default: the shipped one.")
@click.option("--fbp-unet", type=click.Path(path_type=Path), help="A bundle; default: the shipped one.")
@click.option("--refiner", type=click.Path(path_type=Path), help="A bundle; default: the shipped one.")
@click.option("--pixel-prior", type=click.Path(path_type=Path), help="Of dps, mcg, ddrm, dmps, dds.")
@click.option("--dncnn", type=click.Path(path_type=Path), help="Denoiser's bundle of admm-pnp.")
@click.option("--unet-denoiser", type=click.Path(path_type=Path), help="Denoiser's bundle of pnp-unet.")
@click.option("--filter", "fbp_filter", default="ramp", type=click.Choice(_FILTERS))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--batch", default=4, show_default=True, type=click.IntRange(1))
@click.option("--device", default="cpu", show_default=True)
@click.option(
    "--precision",
    default="float32",
    show_default=True,
    type=click.Choice(("float32", "bfloat16")),
    help="Of the networks; bfloat16 pays where the processor or GPU has it.",
)
@click.option("--compress", type=click.Choice(_COMPRESSIONS), help="The DICOM series, without loss.")
@click.option("--spread-series", is_flag=True, help="The uncertainty map as a CT series, too.")
@click.option("--deidentify", is_flag=True, help="Take what names the patient out of every output.")
@click.option("--resume", is_flag=True, help="Continue an interrupted run of the same command.")
@click.option("--cluster", metavar="URL", help="Dask scheduler, tcp://host:8786, to compute batches.")
@click.option("--store", metavar="URL", help="Send the result to dicomweb+https://host/root by STOW.")
def reconstruct(
    source: Path | str,
    out: Path,
    methods: tuple[str, ...],
    preset: str,
    overrides: tuple[str, ...],
    angles: int,
    noise: str,
    sigma: float | None,
    slices: str | None,
    series: str | None,
    prior: Path | None,
    fbp_unet: Path | None,
    refiner: Path | None,
    pixel_prior: Path | None,
    dncnn: Path | None,
    unet_denoiser: Path | None,
    fbp_filter: str,
    seed: int,
    batch: int,
    device: str,
    precision: Literal["float32", "bfloat16"],
    compress: str | None,
    spread_series: bool,
    deidentify: bool,
    resume: bool,
    cluster: str | None,
    store: str | None,
) -> None:
    """Reconstruct SOURCE: a study (whose sinograms are simulated) or a sinogram file.

    A study may be on a server: dicomweb+https://host/root/studies/UID, with /series/UID behind it.
    """
    import json
    from contextlib import ExitStack

    from rich.console import Console
    from rich.table import Table

    from resample_ct import pipeline
    from resample_ct.device import check_device
    from resample_ct.io import dicomweb
    from resample_ct.job import Job
    from resample_ct.progress import progress_bar
    from resample_ct.reconstruct.resample_settings import settings_from
    from resample_ct.report import TABLE_TITLES, summary

    check_device(device)
    target = None if store is None else dicomweb.server(store)
    local = source if isinstance(source, Path) else out.with_name(out.name + ".source")
    job = Job(
        source=local,
        out=out,
        methods=tuple(dict.fromkeys(methods)),
        n_angles=angles,
        noise=noise,
        sigma=sigma,
        slices=slices,
        series=series,
        seed=seed,
        batch=batch,
        device=device,
        precision=precision,
        prior=prior,
        fbp_unet=fbp_unet,
        refiner=refiner,
        pixel_prior=pixel_prior,
        dncnn=dncnn,
        unet_denoiser=unet_denoiser,
        preset=preset,
        settings=settings_from(preset, overrides),
        fbp_filter=fbp_filter,
        fetched_from=None if isinstance(source, Path) else source,
        compress=compress,
        spread_series=spread_series,
        deidentify=deidentify,
    )
    with ExitStack() as stack:
        if isinstance(source, str):
            stack.enter_context(dicomweb.fetched(dicomweb.DicomwebUrl.parse(source), series, local))
        progress = stack.enter_context(progress_bar())
        notes = pipeline.reconstruct(job, resume, progress, cluster)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    table = Table(*TABLE_TITLES)
    for row in summary(json.loads((out / "metrics.json").read_text())):
        table.add_row(*row)
    Console(width=110).print(table)
    click.echo(f"{out}: dicom/, NIfTI, montage.png, metrics.json, run.json. Research only.")
    if target is not None:
        files = sorted((out / "dicom").rglob("*.dcm"))
        dicomweb.store(target, files)
        click.echo(f"{target}: stored {len(files)} instances")


@main.command()
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
    from resample_ct import restore as restoring
    from resample_ct.device import check_device
    from resample_ct.progress import progress_bar
    from resample_ct.reconstruct.resample_settings import settings_from

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


@main.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--series", help="SeriesInstanceUID, where the study holds several.")
def info(source: Path, series: str | None) -> None:
    """Say what SOURCE is: a study, a sinogram file or a prior's bundle."""
    from resample_ct.describe import describe

    for key, value in describe(source, series).items():
        click.echo(f"{key}: {value}")
