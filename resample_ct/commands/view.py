"""`resample-ct view`: parse and call."""

from __future__ import annotations

from pathlib import Path

import click

from resample_ct.command import Command, option


@click.command(cls=Command)
@click.argument("result", type=click.Path(exists=True, file_okay=False, path_type=Path))
@option(
    "Input", "--slices", help="10:20 or 10:40:2, as numbered in metrics.json.  [default: as many as fit]"
)
@option("Input", "--method", "methods", multiple=True, help="Repeat for several.  [default: the run's]")
@option(
    "Output", "--out", type=click.Path(path_type=Path), help="New HTML file.  [default: RESULT/view.html]"
)
def view(result: Path, slices: str | None, methods: tuple[str, ...], out: Path | None) -> None:
    """Show RESULT, a folder that `reconstruct` wrote, in the browser.

    Opens RESULT/view.html. With --slices or --method it writes another page first, into --out.
    """
    import webbrowser

    from resample_ct.errors import OptionError
    from resample_ct.viewer.page import write_viewer
    from resample_ct.viewer.volumes import parse_range

    if out is None and (slices is not None or methods):
        raise OptionError("--out: missing, expected a new HTML file for these slices or methods; give it")
    page = out or result / "view.html"
    if out is not None or not page.exists():
        wanted = None if slices is None else parse_range(slices)
        write_viewer(result, page, wanted, methods or None)
    click.echo(f"{page}: open it in a browser. Research only.")
    webbrowser.open(page.resolve().as_uri())
