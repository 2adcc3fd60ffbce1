"""Every slice as rows of small pictures, a column for each method, for the report's slider."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.colors import to_hex
from PIL import Image
from scipy.ndimage import uniform_filter

from resample_ct.comparison.finished import ComparedSlice, Finished
from resample_ct.comparison.tissues import body
from resample_ct.physics.backends import make_projector
from resample_ct.reconstruct.methods import METHODS
from resample_ct.run.montage import ERROR_HU, LUNG, SOFT_TISSUE, SPREAD_HU, choose_rows

# Of one condition; about 0.3 MB each.
MOST_SLIDES = 40
_ZOOM = 72


@dataclass(frozen=True)
class Cell:
    """One picture, as a data URL, and its figures."""

    source: str
    caption: str = ""


@dataclass(frozen=True)
class Row:
    """One kind of picture of truth and methods, None where there is none, and its colour bar in CSS."""

    name: str
    cells: Sequence[Cell | None]
    low: str = ""
    high: str = ""
    colours: str = ""


@dataclass(frozen=True)
class Slide:
    """One slice."""

    index: int
    titles: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Scale:
    """Values to colours."""

    colormap: str
    low: float
    high: float

    def cell(self, values: np.ndarray, caption: str = "") -> Cell:
        """A picture of (row, column) values."""
        share = ((values - self.low) / (self.high - self.low)).clip(0, 1)
        colours = colormaps[self.colormap](share, bytes=True)[..., :3]
        content = io.BytesIO()
        Image.fromarray(colours).save(content, "WEBP", quality=85)
        return Cell(
            "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode("ascii"), caption
        )

    def row(self, name: str, cells: Sequence[Cell | None]) -> Row:
        """A row in these colours."""
        stops = ", ".join(to_hex(colormaps[self.colormap](share)) for share in np.linspace(0, 1, 9))
        sign = "+" if self.low == -self.high else ""
        return Row(name, cells, f"{self.low:.0f}", f"{sign}{self.high:.0f} HU", stops)


def slides(finished: Finished, records: Sequence[Mapping[str, Any]]) -> list[Slide]:
    """A condition's slices, spread evenly where there are more than `MOST_SLIDES`.

    Args:
        finished: the condition.
        records: of `Gathered`.
    """
    if not finished.methods:
        return []
    wanted = set(choose_rows(len(finished.problem.indices), MOST_SLIDES))
    figures = {(record["method"], record["slice"]): record for record in records}
    return [
        _slide(finished, part, figures) for place, part in enumerate(finished.slices()) if place in wanted
    ]


def _slide(
    finished: Finished, part: ComparedSlice, figures: Mapping[tuple[str, int], Mapping[str, Any]]
) -> Slide:
    window = finished.problem.window
    truth = window.to_hu(part.truth)
    hu = {name: window.to_hu(image) for name, image in part.images.items()}
    told = ["", *(_told(figures[name, part.index]) for name in hu)]
    lung, soft = Scale("gray", *LUNG), Scale("gray", *SOFT_TISSUE)
    images = zip([truth, *hu.values()], told, strict=True)
    rows = [
        lung.row("Lung", [lung.cell(image, text) for image, text in images]),
        soft.row("Soft tissue", [soft.cell(image) for image in (truth, *hu.values())]),
    ]
    row, column = _zoomed([truth, *hu.values()], body(truth))
    detail = np.s_[row : row + _ZOOM, column : column + _ZOOM]
    cells: list[Cell | None] = [lung.cell(image[detail]) for image in (truth, *hu.values())]
    rows.append(lung.row("Where methods differ most (lung)", cells))
    error = Scale("RdBu_r", -ERROR_HU, ERROR_HU)
    errors = {name: image - truth for name, image in hu.items()}
    cells = [None, *(error.cell(e, f"RMS {_rms(e):.0f} HU") for e in errors.values())]
    rows.append(error.row("Error", cells))
    if part.spreads:
        expected = Scale("cividis", 0, SPREAD_HU)
        spreads = {name: window.width * spread for name, spread in part.spreads.items()}
        cells = [
            None,
            *(
                expected.cell(spreads[name], f"RMS {_rms(spreads[name]):.0f} HU")
                if name in spreads
                else None
                for name in hu
            ),
        ]
        rows.append(expected.row("Uncertainty: expected standard deviation", cells))
    residuals = _residuals(finished, part).values()
    rows.append(Row("Residual of the sinogram, A x - y", [None, *map(_residual_cell, residuals)]))
    return Slide(part.index, ["Truth", *(METHODS[name].title for name in hu)], rows)


def _told(record: Mapping[str, Any]) -> str:
    """The figures of one picture."""
    psnr, ssim = record["psnr"], record["ssim"]
    return "" if psnr is None else f"{psnr:.2f} dB, SSIM {ssim:.3f}"


def _residual_cell(residual: np.ndarray) -> Cell:
    """They differ by orders of magnitude between methods: each has its own scale."""
    scale = 3 * _rms(residual) or 1.0
    return Scale("PuOr", -scale, scale).cell(
        residual, f"RMS {_rms(residual):.2g}, shown \u00b1{scale:.2g}"
    )


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
