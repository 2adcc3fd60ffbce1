"""Measure everything again and write the measured part of docs/performance.md.

    python benchmarks/performance.py [--volume] [--page docs/performance.md]

Minutes on an idle machine; do not use one that is not.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

HERE = Path(__file__).parent
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@click.command()
@click.option("--volume", is_flag=True, help="Also 200 slices end to end.")
@click.option(
    "--page",
    default=HERE.parent / "docs" / "performance.md",
    type=click.Path(exists=True, path_type=Path),
)
def main(volume: bool, page: Path) -> None:
    """Run the benchmarks one after the other and replace what the page says."""
    before, rest = page.read_text().split(BEGIN)
    after = rest.split(END)[1]
    parts = (
        ("Projector", ["projector.py"]),
        ("Solver", ["solver.py", *(["--volume"] if volume else [])]),
        ("Memory", ["memory.py"]),
    )
    measured = ""
    for title, command in parts:
        print(title, flush=True)
        run = [sys.executable, str(HERE / command[0]), *command[1:]]
        output = subprocess.run(run, check=True, capture_output=True, text=True).stdout
        print(output, flush=True)
        measured += f"### {title}\n\n`python benchmarks/{' '.join(command)}`\n\n{output.strip()}\n\n"
    page.write_text(f"{before}{BEGIN}\n{measured}{END}{after}")


if __name__ == "__main__":
    main()
