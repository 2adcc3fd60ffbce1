"""`resample-ct check`: parse and call."""

from __future__ import annotations

from pathlib import Path

import click

from resample_ct.command import Command


@click.command(cls=Command)
@click.argument("scan", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(scan: Path) -> None:
    """Look for faults in SCAN, a measured scan, that would make every slice wrong; exit code 1 if any."""
    from rich.console import Console
    from rich.table import Table

    from resample_ct.scan_check.check import check_scan, with_noise
    from resample_ct.scan_import.importing import read_scan

    read = read_scan(scan)
    for note in read.notes:
        click.echo(f"note: {note}", err=True)
    findings = check_scan(read)
    table = Table("check", "found", "limit", "verdict")
    for finding in findings:
        verdict = "not judged" if finding.size is None else "FAULT" if finding.is_fault else "ok"
        table.add_row(finding.check, finding.told, f"{finding.limit:.3g}", verdict)
    Console(width=110).print(table)
    sigma = with_noise(read).noise_sigma
    assert sigma is not None
    origin = "estimated" if read.noise_sigma is None else "stated"
    click.echo(f"noise: {sigma.min():.3g} to {sigma.max():.3g} in pixel units, {origin}")
    faults = [finding for finding in findings if finding.is_fault]
    for finding in faults:
        click.echo(f"{finding.check}: {finding.remedy}")
    if faults:
        raise SystemExit(1)
