"""The report's figures, as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from resample_ct.comparison.finished import ComparedSlice, Finished
from resample_ct.comparison.gather import ERROR_EDGES, Gathered
from resample_ct.comparison.lesions import place_lesions
from resample_ct.comparison.tissues import TISSUES
from resample_ct.reconstruct.methods import METHODS
from resample_ct.run.montage import ERROR_HU, LUNG, choose_rows

# Okabe and Ito's colours, which the colour-blind tell apart, with black for yellow on white.
_OKABE_ITO = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#999999")
_LINES = ("-", "--", ":")
_DPI = 80
_PANEL = 2.3


def middle_slice(finished: Finished) -> ComparedSlice:
    """The one that the pictures show."""
    (row,) = choose_rows(len(finished.problem.indices), 1)
    return next(part for place, part in enumerate(finished.slices()) if place == row)


def lesion_montage(finished: Finished, part: ComparedSlice) -> bytes:
    """Truth and methods with the lesions in, and what is left when the same without is taken off."""
    window, pixel_mm = finished.problem.window, finished.problem.grid.spacing_mm[0]
    truth = window.to_hu(part.truth)
    lesions = place_lesions(truth, pixel_mm, finished.condition.job.seed, part.index)
    added = np.zeros(truth.shape)
    for lesion in lesions:
        added += lesion.contrast_hu * lesion.profile(truth.shape, pixel_mm)
    pairs = {"truth": (truth + added, added)}
    for name, image in part.with_lesions.items():
        found = window.to_hu(image)
        pairs[name] = (found, found - window.to_hu(part.images[name]))
    figure, axes = _panels(2, len(pairs))
    for place, (name, (image, difference)) in enumerate(pairs.items()):
        _grey(axes[0, place], image, METHODS[name].title if name in METHODS else "Truth")
        axes[1, place].imshow(difference, cmap="RdBu_r", vmin=-ERROR_HU, vmax=ERROR_HU)
        for lesion in lesions:
            radius = lesion.diameter_mm / pixel_mm
            corner = (lesion.column - radius, lesion.row - radius)
            for line in range(2):
                axes[line, place].add_patch(
                    Rectangle(corner, 2 * radius, 2 * radius, fill=False, color="limegreen", lw=0.7)
                )
    _name_rows(axes, ("with lesions", f"minus without, ±{ERROR_HU:.0f} HU"))
    return _png(figure)


def slice_plots(records: Sequence[dict[str, Any]]) -> bytes:
    """PSNR, SSIM and HU error of every slice."""
    figure = Figure(figsize=(12, 3.2))
    columns = (("psnr", "PSNR (dB)"), ("ssim", "SSIM"), ("body_rmse_hu", "RMSE in the body (HU)"))
    for axis, (column, title) in zip(figure.subplots(1, 3), columns, strict=True):
        for name, style in _styles(records):
            mine = [r for r in records if r["method"] == name and r[column] is not None]
            values = [r[column] for r in mine]
            axis.plot(
                [r["slice"] for r in mine], values, marker="o", ms=3, **style, label=METHODS[name].title
            )
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("slice", fontsize=8)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5))
    figure.tight_layout()
    return _png(figure)


def histograms(gathered: Gathered) -> bytes:
    """HU errors of every tissue: the share of its pixels."""
    figure = Figure(figsize=(15, 3.0))
    middles = (ERROR_EDGES[1:] + ERROR_EDGES[:-1]) / 2
    for axis, tissue in zip(figure.subplots(1, len(TISSUES)), TISSUES, strict=True):
        for name, style in _styles(gathered.records):
            counts = gathered.histograms[name][tissue]
            if counts.sum():
                axis.plot(middles, counts / counts.sum(), lw=1.2, **style, label=METHODS[name].title)
        axis.set_title(f"{tissue}: error (HU)", fontsize=9)
        axis.set_yscale("log")
        axis.set_ylim(1e-4, 1)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
    handles = axis.get_legend_handles_labels()
    figure.tight_layout(rect=(0, 0, 0.91, 1))
    figure.legend(*handles, fontsize=7, loc="center right")
    return _png(figure)


def _styles(records: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Every method its colour and its line, whichever others take part."""
    order = list(METHODS)
    return [
        (name, {"color": _OKABE_ITO[place % 8], "linestyle": _LINES[place // 8]})
        for name in dict.fromkeys(r["method"] for r in records)
        for place in [order.index(name)]
    ]


def _panels(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(_PANEL * columns + 0.4, (_PANEL + 0.2) * rows))
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    figure.subplots_adjust(
        left=0.4 / (_PANEL * columns + 0.4), right=0.995, top=0.96, bottom=0.01, wspace=0.03
    )
    return figure, axes


def _name_rows(axes: np.ndarray, names: Sequence[str]) -> None:
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.text(-0.09, 0.5, name, rotation=90, va="center", ha="center", transform=axis.transAxes)


def _grey(axis: Axes, image: np.ndarray, title: str) -> None:
    axis.imshow(image, cmap="gray", vmin=LUNG[0], vmax=LUNG[1], interpolation="nearest")
    axis.set_title(title, fontsize=9)


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI)
    return content.getvalue()
