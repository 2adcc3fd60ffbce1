"""`resample-ct methods` and `resample-ct presets`: what `--method` and `--preset` can be."""

from __future__ import annotations

import click

from resample_ct.reconstruct.methods import METHODS
from resample_ct.reconstruct.resample_settings import PURPOSES


@click.command()
def methods() -> None:
    """List the reconstruction methods, and the networks that each runs."""
    width = max(map(len, METHODS))
    for method in METHODS.values():
        networks = f" [--{', --'.join(method.needs)}]" if method.needs else ""
        click.echo(f"{method.name:{width}}  {method.summary}{networks}")


@click.command()
def presets() -> None:
    """List the presets of ReSample's settings."""
    width = max(map(len, PURPOSES))
    for name, purpose in PURPOSES.items():
        click.echo(f"{name:{width}}  {purpose}")
