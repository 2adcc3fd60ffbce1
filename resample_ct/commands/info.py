"""`resample-ct info`: parse and call."""

from __future__ import annotations

from pathlib import Path

import click

from resample_ct.command import Command, option


@click.command(cls=Command)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@option("Input", "--series", help="SeriesInstanceUID, where the study holds several.")
def info(source: Path, series: str | None) -> None:
    """Say what SOURCE is: a study, a sinogram file, a bundle of weights, or a result of ours."""
    from resample_ct.run.info import describe

    for key, value in describe(source, series).items():
        click.echo(f"{key}: {value}")
