"""view.html of a result folder: niivue, the volumes and their figures in one file, naming no patient."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterator, Sequence
from importlib.resources import files as package_files
from pathlib import Path
from string import Template
from typing import Any

from resample_ct.errors import OptionError, StudyError
from resample_ct.reconstruct.methods import METHODS
from resample_ct.viewer.volumes import MOST_PANELS, Stack, choose, volume_files

TRUTH = "truth"
_FIGURES = ("psnr", "ssim", "rmse_hu", "residual", "doubt")


def write_viewer(
    result: Path,
    page: Path,
    slices: Sequence[int] | None = None,
    methods: Sequence[str] | None = None,
) -> None:
    """Write the viewer of a folder that `resample-ct reconstruct` wrote.

    Nothing but voxels, figures, the methods' names and the measurement goes into the page: neither names
    nor dates nor paths, so that it may be handed on as far as the images may.

    Args:
        result: the folder.
        page: new HTML file, which appears only when it is whole.
        slices: numbers as in metrics.json, ascending and evenly spaced; None takes as many as fit,
            spread evenly.
        methods: in their order; None takes the run's, as many as a browser can show.

    Raises:
        StudyError: the folder holds no result, or the page exists.
        OptionError: slices or methods that the result does not have, or too many.
    """
    if page.exists():
        raise StudyError(f"{page}: exists, expected a new file; name another one")
    run, records = _read(result)
    known = [name for name in run["job"]["methods"] if volume_files(result, name)]
    shown = _choose_methods(methods, known, result)
    names = [TRUTH, *shown, *(f"{name}-spread" for name in shown)]
    volumes = {name: files for name in names if (files := volume_files(result, name))}
    numbers = sorted({record["slice"] for record in records})
    stack = choose(volumes, _places(slices, numbers))
    if stack.total != len(numbers):
        raise StudyError(
            f"{result}: found {stack.total} slices in its NIfTI files, expected the {len(numbers)} of "
            "metrics.json; reconstruct again"
        )
    described = _described(run, records, stack, numbers, shown)
    described["left_out"] = [_title(name) for name in known if name not in shown]
    partial = page.with_name(f"partial-{page.name}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(_html(described, stack))
        os.replace(partial, page)
    finally:
        partial.unlink(missing_ok=True)


def _read(result: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The folder's run.json and metrics.json."""
    try:
        run = json.loads((result / "run.json").read_text())
        records = json.loads((result / "metrics.json").read_text())
        if "methods" in run["job"] and records:
            return run, records
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise StudyError(
        f"{result}: no run.json and metrics.json of a reconstruction, expected the output folder of "
        "`resample-ct reconstruct`; name such a folder"
    )


def _title(method: str) -> str:
    """What reports call a method; the name of one that is no more."""
    return METHODS[method].title if method in METHODS else method


def _choose_methods(wanted: Sequence[str] | None, known: Sequence[str], result: Path) -> list[str]:
    most = MOST_PANELS - 1
    if wanted is None:
        return list(known[:most])
    for name in wanted:
        if name not in known:
            raise OptionError(f"method {name}: not in {result}, expected one of {', '.join(known)}")
    if len(wanted) > most:
        raise OptionError(f"methods: found {len(wanted)}, expected at most {most}; choose fewer")
    return list(dict.fromkeys(wanted))


def _places(slices: Sequence[int] | None, numbers: Sequence[int]) -> list[int] | None:
    """Slices by number as places in the volume."""
    if slices is None:
        return None
    for number in slices:
        if number not in numbers:
            raise OptionError(
                f"slice {number}: not in the result, expected some of {numbers[0]} to {numbers[-1]}"
            )
    return [numbers.index(number) for number in slices]


def _described(
    run: dict[str, Any],
    records: Sequence[dict[str, Any]],
    stack: Stack,
    numbers: Sequence[int],
    methods: Sequence[str],
) -> dict[str, Any]:
    """What the page's script reads: panels and the figures of each slice, by method."""
    labels = [numbers[place] for place in stack.indices]
    truth: list[dict[str, Any]] = [{"volume": TRUTH, "title": "Truth", "spread": None, "figures": {}}]
    panels = [
        {
            "volume": name,
            "title": _title(name),
            "spread": f"{name}-spread" if f"{name}-spread" in stack.volumes else None,
            "figures": {
                r["slice"]: {key: r.get(key) for key in _FIGURES}
                for r in records
                if r["method"] == name and r["slice"] in labels
            },
        }
        for name in methods
    ]
    return {
        "measurement": run.get("measurement"),
        "versions": run.get("versions", {}).get("resample-ct"),
        "slices": labels,
        "total": stack.total,
        "panels": (truth if TRUTH in stack.volumes else []) + panels,
    }


def _html(described: dict[str, Any], stack: Stack) -> Iterator[str]:
    """The page piece by piece: one volume is in memory at a time."""
    room = package_files("resample_ct.viewer")

    def text(name: str) -> str:
        return room.joinpath(name).read_text(encoding="utf-8")

    before, after = text("view.html").split("$volumes")
    # A name that closes the script element must not.
    result = json.dumps(described).replace("<", "\\u003c")
    licence = html.escape(text("niivue/LICENSE"))
    yield Template(before).substitute(style=text("viewer.css"), licence=licence, result=result)
    for name in stack.volumes:
        yield f'<script type="text/plain" id="volume-{name}">{stack.encoded(name)}</script>\n'
    yield Template(after).substitute(niivue=text("niivue/niivue.umd.js"), script=text("viewer.js"))
