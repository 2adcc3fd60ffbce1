"""`resample-ct reconstruct`: parse and call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from resample_ct.commands.job_options import bundle_options, computing_options, job_of, resample_options

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
_FILTERS = ("ramp", "hann", "shepp-logan", "cosine")


class _Source(click.Path):
    """A path that exists, or a DICOMweb URL as it was given."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        if isinstance(value, str) and value.startswith("dicomweb+"):
            return value
        return super().convert(value, param, ctx)


@click.command()
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
@resample_options
@click.option("--angles", default=25, show_default=True, type=click.IntRange(2))
@click.option("--noise", default="gaussian:0.01", show_default=True)
@click.option("--sigma", type=float, help="Noise of a measured sinogram that does not state it.")
@click.option("--slices", help="10:20, 3,7,9 or one number, counted from 0 along the normal.")
@click.option("--series", help="SeriesInstanceUID, where the study holds several.")
@bundle_options
@click.option("--filter", "fbp_filter", default="ramp", type=click.Choice(_FILTERS))
@computing_options
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
    angles: int,
    series: str | None,
    resume: bool,
    cluster: str | None,
    store: str | None,
    **options: Any,
) -> None:
    """Reconstruct SOURCE: a study (whose sinograms are simulated) or a sinogram file.

    A study may be on a server: dicomweb+https://host/root/studies/UID, with /series/UID behind it.
    """
    import json
    from contextlib import ExitStack

    from rich.console import Console
    from rich.table import Table

    from resample_ct.device import check_device
    from resample_ct.io import dicomweb
    from resample_ct.progress import progress_bar
    from resample_ct.run import pipeline
    from resample_ct.run.report import TABLE_TITLES, summary

    check_device(options["device"])
    target = None if store is None else dicomweb.server(store)
    local = source if isinstance(source, Path) else out.with_name(out.name + ".source")
    job = job_of(
        source=local,
        out=out,
        n_angles=angles,
        series=series,
        fetched_from=None if isinstance(source, Path) else source,
        **options,
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
