"""What a person reads afterwards: the table of figures, and the page with the montage."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.transforms import Bbox

_COLUMNS = ("psnr", "ssim", "rmse_hu", "residual", "seconds")
TABLE_TITLES = ("method", "PSNR (dB)", "SSIM", "RMSE (HU)", "residual", "s / slice", "stopped")


def write_tables(records: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write metrics.json and metrics.csv, a record for each method and slice."""
    (folder / "metrics.json").write_text(json.dumps(list(records), indent=1) + "\n")
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(records[0]))
        writer.writeheader()
        writer.writerows(records)


def summary(records: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Rows of the printed table: method, mean and standard deviation of each figure, why it stopped."""
    rows = []
    for method in dict.fromkeys(r["method"] for r in records):
        row = [method]
        for column in _COLUMNS:
            values = [r[column] for r in records if r["method"] == method]
            if any(v is None for v in values):
                row.append("-")
            else:
                # One slice has no deviation.
                deviation = f" ± {pstdev(values):.2g}" if len(values) > 1 else ""
                row.append(f"{fmean(values):.4g}{deviation}")
        stops = Counter(r["stopped"] for r in records if r["method"] == method)
        counted = ", ".join(f"{stop} ({count})" for stop, count in stops.most_common())
        row.append(counted if len(stops) > 1 else next(iter(stops)))
        rows.append(tuple(row))
    return rows


def report_page(
    records: Sequence[dict[str, Any]], montage: Path, facts: dict[str, str], statement: str
) -> bytes:
    """One A4 page: what was reconstructed, the table of figures, the montage.

    Args:
        records: a record for each method and slice.
        montage: PNG that `write_montage` wrote.
        facts: name-value pairs about patient, study and run.
        statement: what the page is for, in its first and last line.

    Returns:
        The page as PDF, the same bytes for the same arguments.
    """
    page = Figure(figsize=(8.27, 11.69), facecolor="white")
    page.text(0.07, 0.965, "ReSample-CT reconstruction", fontsize=15, weight="bold", va="top")
    page.text(0.07, 0.94, statement, fontsize=10, color="firebrick", weight="bold", va="top")
    lines = [f"{name}: {_printable(value)}" for name, value in facts.items()]
    # A patient's identifier may hold a dollar sign, which is no mathematics.
    page.text(0.07, 0.92, "\n".join(lines), fontsize=8, va="top", parse_math=False, linespacing=1.4)
    top = 0.91 - 0.0165 * len(lines)
    rows = summary(records)
    height = 0.022 * (len(rows) + 1)
    axis = page.add_axes((0.07, top - height, 0.86, height))
    axis.axis("off")
    table = axis.table(
        rows, colLabels=TABLE_TITLES, cellLoc="center", bbox=Bbox.unit(), edges="horizontal"
    )
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    axis = page.add_axes((0.07, 0.06, 0.86, top - height - 0.08))
    axis.imshow(imread(montage))
    axis.axis("off")
    page.text(0.07, 0.03, statement, fontsize=8, color="firebrick")
    content = io.BytesIO()
    page.savefig(content, format="pdf", dpi=200, metadata={"CreationDate": None, "Title": statement})
    return content.getvalue()


def _printable(text: str) -> str:
    """What the page's font can show; other scripts become question marks."""
    return text.encode("latin-1", "replace").decode("latin-1")
