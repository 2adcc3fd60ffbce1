"""`resample-ct convert`: parse and call."""

from __future__ import annotations

from pathlib import Path

import click

from resample_ct.command import Command, option


@click.command(cls=Command)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@option("Output", "--out", required=True, type=click.Path(path_type=Path), help="New bundle.")
@option("Input", "--raw", is_flag=True, help="The UNet as last trained, not its running average.")
@option(
    "Input",
    "--head-channels",
    type=click.IntRange(1),
    help="num_head_channels of the UNet, which no checkpoint tells.  [default: the released models']",
)
def convert(checkpoint: Path, out: Path, raw: bool, head_channels: int | None) -> None:
    """Turn the CompVis LDM-VQ4 CHECKPOINT (FFHQ, CelebA-HQ, LSUN) into a bundle."""
    from resample_ct.bundles.compvis.convert import convert_checkpoint

    card = convert_checkpoint(checkpoint, out, raw, head_channels)
    click.echo(f"{out}: a MONAI Bundle; {card.description}")
