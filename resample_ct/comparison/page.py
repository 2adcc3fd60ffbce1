"""The report as one HTML file that asks nothing of a network: pictures are in it."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files as package_files
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from resample_ct.comparison.coverage import SPREADS
from resample_ct.comparison.slides import Slide
from resample_ct.comparison.tissues import TISSUES
from resample_ct.reconstruct.methods import METHODS

# Key of a record, title, digits.
COLUMNS = (
    ("psnr", "PSNR (dB)", 4),
    ("ssim", "SSIM", 3),
    ("body_rmse_hu", "RMSE in the body (HU)", 3),
    ("residual", "Data residual", 2),
    ("lpips", "LPIPS", 3),
    ("seconds", "Seconds a slice", 3),
    ("peak_memory_mb", "Peak memory (MB)", 4),
)


@dataclass(frozen=True)
class Picture:
    """PNG and what it shows."""

    caption: str
    png: bytes

    @property
    def source(self) -> str:
        """As a data URL."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True)
class Section:
    """One condition.

    Attributes:
        title: study, noise and views.
        rows: of `summarise`.
        gaps: why a method has no row, by method.
        cautions: what to know about the rows.
        doubts: records whose prior is not to be trusted.
        tissues: of `Gathered`.
        coverage: of `Gathered`; empty where no method has an uncertainty map.
        lesions: of `summarise_lesions`; empty where none were inserted.
        slides: every slice, or evenly spread ones of many.
        slice_count: how many slices there are.
        pictures: in their order.
    """

    title: str
    rows: Sequence[dict[str, Any]]
    gaps: dict[str, str]
    cautions: Sequence[str]
    doubts: Sequence[dict[str, Any]]
    tissues: Sequence[dict[str, Any]]
    coverage: Sequence[dict[str, Any]]
    lesions: Sequence[dict[str, Any]]
    slides: Sequence[Slide]
    slice_count: int
    pictures: Sequence[Picture]

    @property
    def kinds(self) -> list[tuple[str, float, float]]:
        """Tissue, contrast and diameter of all lesions."""
        kinds = [kind for row in self.lesions for kind in row["kinds"]]
        found = {(k["tissue"], k["contrast_hu"], k["diameter_mm"]) for k in kinds}
        return sorted(found)

    def fate(self, method: str, kind: tuple[str, float, float]) -> str:
        """How many lesions of one kind survived one method, and their mean kept contrast."""
        for row in self.lesions:
            for k in row["kinds"]:
                if row["method"] == method and (k["tissue"], k["contrast_hu"], k["diameter_mm"]) == kind:
                    return f"{k['survived']} of {k['inserted']} ({k['mean_kept_share']:.0%})"
        return "-"

    def error(self, method: str, tissue: str) -> str:
        """Mean and standard deviation of a method's HU error in a tissue."""
        for row in self.tissues:
            if (row["method"], row["tissue"]) == (method, tissue):
                return f"{row['mean_hu']:+.1f} ± {row['std_hu']:.1f}"
        return "-"


def page(
    title: str,
    statement: str,
    command: str,
    sections: Sequence[Section],
    lpips: str,
    facts: dict[str, str],
) -> str:
    """The HTML.

    Args:
        title: of the page.
        statement: what it is for, in its first and last line.
        command: what makes it again.
        sections: the conditions.
        lpips: what LPIPS was computed with, or why not.
        facts: name-value pairs about the run.
    """
    environment = Environment(
        loader=PackageLoader("resample_ct", "comparison"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = [c for c in COLUMNS if any(c[0] in row for section in sections for row in section.rows)]
    room = package_files("resample_ct.comparison")

    def text(name: str) -> Markup:
        return Markup(room.joinpath(name).read_text(encoding="utf-8"))

    return environment.get_template("report.html.jinja").render(
        title=title,
        statement=statement,
        command=command,
        date=datetime.now().astimezone().strftime("%-d %B %Y, %H:%M %Z"),
        sections=sections,
        lpips=lpips,
        facts=facts,
        columns=shown,
        titles={name: method.title for name, method in METHODS.items()},
        tissues=list(TISSUES),
        normal={str(k): math.erf(k / math.sqrt(2)) for k in SPREADS},
        figure=_figure,
        script=text("report.js"),
        style=text("report.css"),
    )


def _figure(row: dict[str, Any], key: str, digits: int) -> str:
    """Mean ± standard deviation."""
    if key not in row:
        return "-"
    return f"{row[key]['mean']:.{digits}g} ± {row[key]['std']:.2g}"
