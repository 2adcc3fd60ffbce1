"""The montage: a few slices of truth and methods in two windows, with their errors and uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resample_ct.reconstruct.methods import METHODS
from resample_ct.values.units import Window

# The windows that radiologists read a chest in: W 1500, L -600 and W 400, L 40.
LUNG = (-1350.0, 150.0)
SOFT_TISSUE = (-160.0, 240.0)
# What a reader would notice.
ERROR_HU = 200.0
SPREAD_HU = 200.0
_PANEL_INCHES = 2.2


@dataclass(frozen=True)
class _Row:
    """One kind of picture: of truth and methods in their order, None for a blank."""

    name: str
    images: Sequence[np.ndarray | None]
    captions: Sequence[str]
    colormap: str
    low: float
    high: float


def choose_rows(count: int, most: int) -> list[int]:
    """Up to `most` places spread evenly over `count` slices.

    >>> choose_rows(30, 4)
    [3, 11, 18, 26]
    """
    shown = min(most, count)
    return [int((2 * k + 1) * count / (2 * shown)) for k in range(shown)]


def write_montage(
    truth: np.ndarray | None,
    images: Mapping[str, np.ndarray],
    spreads: Mapping[str, np.ndarray],
    indices: Sequence[int],
    records: Sequence[Mapping[str, Any]],
    window: Window,
    path: Path,
) -> None:
    """Draw each slice in the lung's and in soft tissue's window, its error, and the uncertainty map.

    Args:
        truth: (N, row, column) in [0, 1], or None.
        images: the same for each method.
        spreads: the standard deviation of the pixels of methods that know it, in the same units.
        indices: the N slices' places in their study.
        records: figures of each method and slice, for the words below the pictures.
        window: HU window of the attenuation.
        path: PNG to write.
    """
    figures = {(record["method"], record["slice"]): record for record in records}
    titles = ([] if truth is None else ["Truth"]) + [METHODS[name].title for name in images]
    rows: list[_Row] = []
    for place, index in enumerate(indices):
        hu = {name: window.to_hu(stack[place]) for name, stack in images.items()}
        expected = {name: window.width * stack[place] for name, stack in spreads.items()}
        told = [_told(figures.get((name, index), {})) for name in hu]
        known = None if truth is None else window.to_hu(truth[place])
        rows += _rows(index, known, hu, expected, told)
    width, height = _PANEL_INCHES * len(titles) + 1.25, (_PANEL_INCHES + 0.2) * len(rows) + 0.6
    figure = Figure(figsize=(width, height), facecolor="black")
    # The last column is the colour bars'.
    axes = figure.subplots(
        len(rows),
        len(titles) + 1,
        squeeze=False,
        width_ratios=[1.0] * len(titles) + [0.06],
        gridspec_kw={"wspace": 0.04, "hspace": 0.12},
    )
    figure.subplots_adjust(
        left=0.45 / width, right=1 - 0.65 / width, bottom=0.25 / height, top=1 - 0.55 / height
    )
    for line, row in zip(axes, rows, strict=True):
        _draw(figure, line, row)
    for axis, title in zip(axes[0], titles, strict=False):
        axis.set_title(title, color="white", fontsize=10)
    statement = "Derived by ReSample-CT. Research only."
    figure.text(0.5, 1 - 0.12 / height, statement, color="white", fontsize=9, ha="center", va="top")
    figure.savefig(path, dpi=100)


def _rows(
    index: int,
    truth: np.ndarray | None,
    hu: Mapping[str, np.ndarray],
    spreads: Mapping[str, np.ndarray],
    told: Sequence[str],
) -> list[_Row]:
    """The kinds of picture of one slice."""
    first = [] if truth is None else [truth]
    blank = [""] * len(first)
    pictures = [*first, *hu.values()]
    rows = [
        _Row(f"slice {index}\nlung", pictures, [*blank, *told], "gray", *LUNG),
        _Row(f"slice {index}\nsoft tissue", pictures, [""] * len(pictures), "gray", *SOFT_TISSUE),
    ]
    if truth is not None:
        errors = [image - truth for image in hu.values()]
        captions = ["", *(f"RMS {_rms(error):.0f} HU" for error in errors)]
        rows.append(
            _Row(f"slice {index}\nerror", [None, *errors], captions, "RdBu_r", -ERROR_HU, ERROR_HU)
        )
    if spreads:
        maps = [spreads.get(name) for name in hu]
        captions = [*blank, *("" if found is None else f"RMS {_rms(found):.0f} HU" for found in maps)]
        name = f"slice {index}\nuncertainty"
        rows.append(_Row(name, [*([None] * len(first)), *maps], captions, "cividis", 0.0, SPREAD_HU))
    return rows


def _draw(figure: Figure, axes: Sequence[Axes], row: _Row) -> None:
    *panels, scale = axes
    drawn = None
    for axis, image, caption in zip(panels, row.images, row.captions, strict=True):
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_facecolor("black")
        for side in axis.spines.values():
            side.set_visible(False)
        axis.set_xlabel(caption, color="white", fontsize=7.5)
        if image is not None:
            drawn = axis.imshow(image, cmap=row.colormap, vmin=row.low, vmax=row.high)
    axes[0].set_ylabel(row.name, color="white", fontsize=8)
    if drawn is None:
        scale.axis("off")
        return
    bar = figure.colorbar(drawn, cax=scale)
    bar.set_label("HU", color="white", fontsize=7)
    scale.tick_params(colors="white", labelsize=7)


def _told(record: Mapping[str, Any]) -> str:
    """A picture's figures; nothing without a truth."""
    if record.get("psnr") is None:
        return ""
    return f"{record['psnr']:.2f} dB, SSIM {record['ssim']:.3f}, {record['rmse_hu']:.0f} HU"


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
