"""`resample-ct reconstruct`: parse and call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from resample_ct.command import Command, option
from resample_ct.commands.job_options import (
    COMPUTING,
    INPUT,
    METHODS,
    OUTPUT,
    angles_option,
    bundle_options,
    computing_options,
    deidentify_option,
    job_of,
    method_option,
    noise_option,
    out_folder_option,
    resample_options,
    resume_option,
    scan_options,
    series_option,
    slices_option,
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


def _centre(ctx: click.Context, param: click.Parameter, value: str | None) -> float | str | None:
    if value is None or value == "auto":
        return value
    try:
        return float(value)
    except ValueError:
        raise click.BadParameter(f"{value} is neither auto nor a number") from None


@click.command(cls=Command)
@click.argument("source", type=_Source(exists=True, path_type=Path))
@slices_option
@series_option
@option(
    INPUT,
    "--sigma",
    type=float,
    help="Standard deviation of a measured scan's noise, in pixel units.  "
    "[default: its file's, or an estimate]",
)
@option(
    INPUT,
    "--centre",
    metavar="auto|PIXEL",
    callback=_centre,
    help="Rotation axis of a measured scan: found in its views, or this detector pixel, from 0.  "
    "[default: its file's]",
)
@method_option()
@resample_options
@option(
    METHODS,
    "--filter",
    "fbp_filter",
    default="ramp",
    type=click.Choice(_FILTERS),
    help="Of FBP: ramp is the sharpest, hann the smoothest.",
)
@angles_option(default=25)
@noise_option(default="gaussian:0.01")
@scan_options
@bundle_options
@computing_options
@option(
    COMPUTING,
    "--precision",
    default="float32",
    type=click.Choice(("float32", "bfloat16")),
    help="Of the networks; bfloat16 pays where the processor or GPU has it.",
)
@option(COMPUTING, "--cluster", metavar="URL", help="Dask scheduler that computes, tcp://host:8786.")
@out_folder_option
@option(OUTPUT, "--compress", type=click.Choice(_COMPRESSIONS), help="The DICOM series, without loss.")
@option(OUTPUT, "--spread-series", is_flag=True, help="The uncertainty map as a CT series, too.")
@deidentify_option
@resume_option
@option(OUTPUT, "--store", metavar="URL", help="Send the result to dicomweb+https://host/root by STOW.")
def reconstruct(
    source: Path | str,
    out: Path,
    methods: tuple[str, ...],
    angles: int,
    series: str | None,
    resume: bool,
    cluster: str | None,
    store: str | None,
    **options: Any,
) -> None:
    """Reconstruct SOURCE: a study (whose sinograms are simulated) or a measured scan.

    A study may be on a server: dicomweb+https://host/root/studies/UID, with /series/UID behind it.
    """
    from resample_ct.run.work_folder import refuse_out

    refuse_out(out)
    local = source if isinstance(source, Path) else out.with_name(out.name + ".source")
    if not methods:
        from resample_ct.run.default_methods import CLASSICAL, default_methods

        methods = default_methods(local)
        if methods == CLASSICAL:
            click.echo(
                f"note: {local} names no patient: fbp and tv run by default, because the networks know "
                "CT slices of patients only; give --method resample for one",
                err=True,
            )
    job = job_of(
        methods=methods,
        source=local,
        out=out,
        n_angles=angles,
        series=series,
        fetched_from=None if isinstance(source, Path) else source,
        **options,
    )
    # What takes seconds to import, once the command is known to make sense.
    import json
    from contextlib import ExitStack

    from rich.console import Console
    from rich.table import Table

    from resample_ct.device import check_device
    from resample_ct.io import dicomweb
    from resample_ct.progress import progress_bar
    from resample_ct.run import pipeline
    from resample_ct.run.report import TABLE_TITLES, summary

    check_device(job.device)
    target = None if store is None else dicomweb.server(store)
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
