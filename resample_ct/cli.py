"""The command line: parse and call. Heavy imports wait until a command runs, so `--help` is quick."""

from __future__ import annotations

import errno
from pathlib import Path

import click

from resample_ct.commands.compare import compare
from resample_ct.commands.convert import convert
from resample_ct.commands.rebin import rebin
from resample_ct.commands.reconstruct import reconstruct
from resample_ct.commands.restore import restore
from resample_ct.errors import ResampleCTError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _Commands(click.Group):
    """Turns the errors a user can put right into one line and exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ResampleCTError as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise click.ClickException(
                f"{error.filename or 'output'}: cannot be written ({error.strerror}), expected room on "
                "its disk; free some space and give the same command again"
            ) from None

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
main.add_command(reconstruct)
main.add_command(restore)


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
    from resample_ct.device import check_device
    from resample_ct.io.deidentify import deidentify as without_identity
    from resample_ct.io.deidentify import secret_of_run
    from resample_ct.io.identity_guard import refuse_identified
    from resample_ct.io.study import read_study
    from resample_ct.physics.sinogram_file import write_sinogram
    from resample_ct.progress import progress_bar
    from resample_ct.run import simulate as measure
    from resample_ct.values.units import Window

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


@main.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--series", help="SeriesInstanceUID, where the study holds several.")
def info(source: Path, series: str | None) -> None:
    """Say what SOURCE is: a study, a sinogram file or a prior's bundle."""
    from resample_ct.run.info import describe

    for key, value in describe(source, series).items():
        click.echo(f"{key}: {value}")
