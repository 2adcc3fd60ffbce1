"""`resample-ct fine-tune`: parse and call."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("fine-tune")
@click.option(
    "--data",
    multiple=True,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of DICOM studies; repeat for several.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New bundle.")
@click.option("--hold-out", required=True, help="PatientIDs for validation, as A,B.")
@click.option("--name", default="local", show_default=True)
@click.option("--autoencoder-steps", default=1150, show_default=True, type=click.IntRange(1))
@click.option("--unet-steps", default=1000, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def fine_tune(
    data: tuple[Path, ...],
    out: Path,
    hold_out: str,
    name: str,
    autoencoder_steps: int,
    unet_steps: int,
    seed: int,
) -> None:
    """Train a prior on --data from scratch; the same command again continues an interrupted run."""
    from fine_tune.prior import PriorTraining, train_prior
    from resample_ct.errors import OptionError
    from resample_ct.progress import progress_bar

    if out.exists():
        raise OptionError(f"--out {out}: exists, expected a new folder; name another one")
    training = PriorTraining(
        data=data,
        out=out,
        name=name,
        held_out=tuple(hold_out.split(",")),
        autoencoder_steps=autoencoder_steps,
        unet_steps=unet_steps,
        seed=seed,
    )
    with progress_bar() as progress:
        train_prior(training, click.echo, progress)
