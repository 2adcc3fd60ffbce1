"""`resample-ct import`: parse and call."""

from __future__ import annotations

from pathlib import Path

import click

from resample_ct.command import Command, option
from resample_ct.commands.job_options import INPUT, OUTPUT, PATH


@click.command("import", cls=Command)
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@option(
    INPUT,
    "--detector-pixel-mm",
    type=click.FloatRange(0, min_open=True),
    help="Distance between detector pixels.  [default: the file's]",
)
@option(INPUT, "--views", type=click.IntRange(2), help="So many views, evenly.  [default: all]")
@option(
    INPUT,
    "--arc",
    "arc_degrees",
    metavar="DEGREES",
    type=click.FloatRange(0, min_open=True),
    help="Views of the first so many degrees only.",
)
@option(
    INPUT,
    "--scale",
    default=1.0,
    type=click.FloatRange(0, min_open=True),
    help="Factor that makes -ln(I / I0) of the file's numbers.",
)
@option(
    INPUT,
    "--subtract-air",
    is_flag=True,
    help="Take the level beside the object for zero, where no open beam was measured.",
)
@option(
    OUTPUT,
    "--image-size",
    default=256,
    type=click.IntRange(16, 4096),
    help="Pixels of the image's side; networks need 256.",
)
@option(OUTPUT, "--out", required=True, type=PATH, help="New HDF5 file.")
def import_scan(source: Path, out: Path, **options: float | int | bool | None) -> None:
    """Make a sinogram file of SOURCE: Data Exchange (HDF5), MATLAB (HTC2022 and others) or .npz."""
    from resample_ct.errors import OptionError
    from resample_ct.physics.sinogram_file import write_sinogram
    from resample_ct.scan_import.importing import ImportOptions
    from resample_ct.scan_import.importing import import_scan as read

    if out.exists():
        raise OptionError(f"--out {out}: exists, expected a new file; name another one")
    scan = read(source, ImportOptions(**options))  # type: ignore[arg-type]
    write_sinogram(scan, out)
    for note in scan.notes:
        click.echo(f"note: {note}", err=True)
    views, detectors = scan.geometry.sinogram_shape
    click.echo(
        f"{out}: {len(scan.data)} slices of {views} views and {detectors} detector pixels, image pixel "
        f"{scan.grid.spacing_mm[0]:.4g} mm, HU {scan.window.lower:g} to {scan.window.upper:g}"
    )
