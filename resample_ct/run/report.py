"""What a person reads afterwards: the table of figures and the montage."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.transforms import Bbox

from resample_ct.values.units import Window

_COLUMNS = ("psnr", "ssim", "rmse_hu", "residual", "seconds")
TABLE_TITLES = ("method", "PSNR (dB)", "SSIM", "RMSE (HU)", "residual", "s / slice")
# Soft tissue and lung both show in this window; errors in the range that a reader would notice.
_DISPLAY_HU = (-1000.0, 500.0)
_ERROR_HU = 200.0


def write_tables(records: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write metrics.json and metrics.csv, a record for each method and slice."""
    (folder / "metrics.json").write_text(json.dumps(list(records), indent=1) + "\n")
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(records[0]))
        writer.writeheader()
        writer.writerows(records)


def summary(records: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Rows of the printed table: method, then mean and standard deviation of each figure."""
    rows = []
    for method in dict.fromkeys(r["method"] for r in records):
        row = [method]
        for column in _COLUMNS:
            values = [r[column] for r in records if r["method"] == method]
            if any(v is None for v in values):
                row.append("-")
            else:
                row.append(f"{fmean(values):.4g} ± {pstdev(values):.2g}")
        rows.append(tuple(row))
    return rows


def choose_rows(count: int, most: int = 4) -> list[int]:
    """Up to `most` places spread evenly over `count` slices.

    >>> choose_rows(30)
    [3, 11, 18, 26]
    """
    shown = min(most, count)
    return [int((2 * k + 1) * count / (2 * shown)) for k in range(shown)]


def write_montage(
    truth: np.ndarray | None,
    images: dict[str, np.ndarray],
    indices: Sequence[int],
    window: Window,
    path: Path,
) -> None:
    """Draw truth and methods, and below them the error maps in HU.

    Args:
        truth: (N, row, column) in [0, 1], or None.
        images: the same for each method.
        indices: the N slices' places, for their titles.
        window: of the attenuation.
        path: PNG to write.
    """
    columns = ([] if truth is None else [("truth", truth)]) + list(images.items())
    per_slice = 1 if truth is None else 2
    shape = (per_slice * len(indices), len(columns))
    figure = Figure(figsize=(2.6 * shape[1], 2.7 * shape[0]), facecolor="black")
    axes = figure.subplots(*shape, squeeze=False)
    for row, index in enumerate(indices):
        for column, (name, stack) in enumerate(columns):
            axis = axes[per_slice * row, column]
            low, high = _DISPLAY_HU
            axis.imshow(window.to_hu(stack[row]), cmap="gray", vmin=low, vmax=high)
            axis.set_title(f"{name}, slice {index}", color="white", fontsize=8)
            if truth is None:
                continue
            error = window.width * (stack[row] - truth[row])
            axis = axes[per_slice * row + 1, column]
            if name != "truth":
                axis.imshow(error, cmap="RdBu_r", vmin=-_ERROR_HU, vmax=_ERROR_HU)
                axis.set_title(f"error ±{_ERROR_HU:.0f} HU", color="white", fontsize=8)
    for axis in axes.flat:
        axis.axis("off")
    figure.suptitle("Derived by ReSample-CT. Research only.", color="white", fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    figure.savefig(path, dpi=110)


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
