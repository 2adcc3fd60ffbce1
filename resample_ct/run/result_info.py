"""What a result of ours is: of `reconstruct`, of `restore`, of `compare`, or one of the files in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from resample_ct.errors import StudyError

_RUN, _COMPARISON, _FIGURES = "run.json", "results.json", "metrics.json"
_FILES_OF_RESULTS = (_RUN, _COMPARISON, _FIGURES, "report.html", "view.html", "montage.png")


def described_result(source: Path) -> dict[str, str] | None:
    """Name-value pairs about the result that a path is, or is a file of; None where it is of none.

    Raises StudyError for a result whose record cannot be understood.
    """
    folder = source.parent if source.name in _FILES_OF_RESULTS and source.is_file() else source
    for name, describe in ((_RUN, _run), (_COMPARISON, _comparison)):
        path = folder / name
        if path.is_file():
            try:
                return describe(_read(path), folder)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise StudyError(
                    f"{path}: cannot be understood ({type(error).__name__}: {error}), expected what "
                    "`resample-ct` wrote; copy the result again"
                ) from None
    return None


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _run(run: dict[str, Any], folder: Path) -> dict[str, str]:
    """Of one reconstruction or restoration."""
    job, figures = run["job"], _read(folder / _FIGURES)
    if "task" in job:
        asked = {"kind": "restoration", "task": job["task"], "images": str(len(figures))}
        means = {"ReSample": figures}
    else:
        slices = {record["slice"] for record in figures}
        asked = {
            "kind": "reconstruction",
            "source": run["source"]["name"],
            "slices": str(len(slices)),
            "views": str(job["n_angles"]),
            "noise": job["noise"],
        }
        means = {name: [r for r in figures if r["method"] == name] for name in job["methods"]}
    said = {f"PSNR of {name} (dB)": _mean([r["psnr"] for r in of]) for name, of in means.items()}
    return (
        asked
        | said
        | {
            "made by": f"resample-ct {run['versions']['resample-ct']}",
            "notes": "; ".join(run.get("notes", ())) or "-",
            "for": "research only",
        }
    )


def _comparison(results: dict[str, Any], folder: Path) -> dict[str, str]:
    """Of several methods under several conditions."""
    records = results["records"]
    methods = dict.fromkeys(record["method"] for record in records)
    return {
        "kind": "comparison",
        "methods": ", ".join(methods),
        "conditions": str(len(results["conditions"])),
        "slices": str(sum(len(condition["slices"]) for condition in results["conditions"])),
        **{
            f"PSNR of {name} (dB)": _mean([r["psnr"] for r in records if r["method"] == name])
            for name in methods
        },
        "for": "research only",
    }


def _mean(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.2f}" if known else "-"
