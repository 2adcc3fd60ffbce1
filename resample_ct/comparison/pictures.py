"""The report's figures, as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.ndimage import uniform_filter

from resample_ct.comparison.finished import ComparedSlice, Finished
from resample_ct.comparison.gather import ERROR_EDGES, Gathered
from resample_ct.comparison.lesions import place_lesions
from resample_ct.comparison.tissues import TISSUES, body
from resample_ct.physics.backends import make_projector
from resample_ct.reconstruct.methods import METHODS
from resample_ct.run.report import choose_rows

_DISPLAY_HU = (-1000.0, 500.0)
_ERROR_HU = 200.0
_ZOOM = 72
_DPI = 80
_PANEL = 2.3


def middle_slice(finished: Finished) -> ComparedSlice:
    """The one that the pictures show."""
    (row,) = choose_rows(len(finished.problem.indices), 1)
    return next(part for place, part in enumerate(finished.slices()) if place == row)


def montage(finished: Finished, part: ComparedSlice) -> bytes:
    """Truth and methods: the slice, where methods differ most, the error, and the sinogram's residual."""
    window = finished.problem.window
    hu = {"truth": window.to_hu(part.truth)}
    hu |= {name: window.to_hu(image) for name, image in part.images.items()}
    row, column = _zoomed(list(hu.values()), body(hu["truth"]))
    residuals = _residuals(finished, part)
    figure, axes = _panels(4, len(hu))
    for place, (name, image) in enumerate(hu.items()):
        _grey(axes[0, place], image, _title(name))
        axes[0, place].add_patch(
            Rectangle((column - 0.5, row - 0.5), _ZOOM, _ZOOM, fill=False, color="gold")
        )
        _grey(axes[1, place], image[row : row + _ZOOM, column : column + _ZOOM], "")
        if name == "truth":
            continue
        error = image - hu["truth"]
        axes[2, place].imshow(error, cmap="RdBu_r", vmin=-_ERROR_HU, vmax=_ERROR_HU)
        axes[2, place].set_title(f"RMS {_rms(error):.0f} HU", fontsize=8)
        residual = residuals[name]
        # They differ by orders of magnitude between methods: each has its own scale.
        scale = 3 * _rms(residual) or 1.0
        axes[3, place].imshow(
            residual, cmap="PuOr", vmin=-scale, vmax=scale, aspect="auto", interpolation="nearest"
        )
        axes[3, place].set_title(f"RMS {_rms(residual):.2g}, shown ±{scale:.2g}", fontsize=8)
    _name_rows(axes, ("slice", "where methods differ", f"error, ±{_ERROR_HU:.0f} HU", "A x - y"))
    return _png(figure)


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
        _grey(axes[0, place], image, _title(name))
        axes[1, place].imshow(difference, cmap="RdBu_r", vmin=-_ERROR_HU, vmax=_ERROR_HU)
        for lesion in lesions:
            radius = lesion.diameter_mm / pixel_mm
            corner = (lesion.column - radius, lesion.row - radius)
            for line in range(2):
                axes[line, place].add_patch(
                    Rectangle(corner, 2 * radius, 2 * radius, fill=False, color="limegreen", lw=0.7)
                )
    _name_rows(axes, ("with lesions", f"minus without, ±{_ERROR_HU:.0f} HU"))
    return _png(figure)


def spread_montage(finished: Finished, part: ComparedSlice) -> bytes:
    """Of each method with an uncertainty map: the size of its error, and the map."""
    width = finished.problem.window.width
    figure, axes = _panels(2, len(part.spreads))
    for place, (name, spread) in enumerate(part.spreads.items()):
        error = np.abs(part.images[name] - part.truth)
        for line, values in enumerate((error, spread)):
            axes[line, place].imshow(width * values, cmap="magma", vmin=0, vmax=_ERROR_HU)
            title = f"{METHODS[name].title}: " if line == 0 else ""
            axes[line, place].set_title(f"{title}RMS {width * _rms(values):.0f} HU", fontsize=8)
    _name_rows(axes, (f"error, 0 to {_ERROR_HU:.0f} HU", "expected"))
    return _png(figure)


def slice_plots(records: Sequence[dict[str, Any]]) -> bytes:
    """PSNR, SSIM and HU error of every slice."""
    figure = Figure(figsize=(12, 3.2))
    columns = (("psnr", "PSNR (dB)"), ("ssim", "SSIM"), ("body_rmse_hu", "RMSE in the body (HU)"))
    for axis, (column, title) in zip(figure.subplots(1, 3), columns, strict=True):
        for name, colour in _colours(records):
            mine = [r for r in records if r["method"] == name and r[column] is not None]
            values = [r[column] for r in mine]
            axis.plot(
                [r["slice"] for r in mine], values, "o-", ms=3, color=colour, label=METHODS[name].title
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
        for name, colour in _colours(gathered.records):
            counts = gathered.histograms[name][tissue]
            if counts.sum():
                axis.plot(middles, counts / counts.sum(), color=colour, lw=1, label=METHODS[name].title)
        axis.set_title(f"{tissue}: error (HU)", fontsize=9)
        axis.set_yscale("log")
        axis.set_ylim(1e-4, 1)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
    handles = axis.get_legend_handles_labels()
    figure.tight_layout(rect=(0, 0, 0.91, 1))
    figure.legend(*handles, fontsize=7, loc="center right")
    return _png(figure)


def _colours(records: Sequence[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Every method its colour, whichever others take part."""
    # From the end: the last ones get the map's strongest colours.
    order = list(reversed(METHODS))
    return [
        (name, colormaps["tab20"](order.index(name) % 20))
        for name in dict.fromkeys(r["method"] for r in records)
    ]


def _zoomed(images: Sequence[np.ndarray], inside: np.ndarray) -> tuple[int, int]:
    """Upper left corner of the square in which the images differ most inside the body."""
    differing = uniform_filter(inside * np.std(np.stack(images), axis=0), _ZOOM, mode="constant")
    half = _ZOOM // 2
    within = differing[half:-half, half:-half]
    row, column = np.unravel_index(int(np.argmax(within)), within.shape)
    return int(row), int(column)


def _residuals(finished: Finished, part: ComparedSlice) -> dict[str, np.ndarray]:
    projector = make_projector(finished.problem.geometry)
    return {
        name: (projector(torch.from_numpy(image)[None, None]) - part.sinogram)[0, 0].numpy()
        for name, image in part.images.items()
    }


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _title(name: str) -> str:
    """Of a method, or of the truth."""
    return METHODS[name].title if name in METHODS else name


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
    axis.imshow(image, cmap="gray", vmin=_DISPLAY_HU[0], vmax=_DISPLAY_HU[1], interpolation="nearest")
    axis.set_title(title, fontsize=9)


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI)
    return content.getvalue()
