"""What a comparison leaves: results.json, results.csv and report.html."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from resample_ct import __version__
from resample_ct.comparison.command_line import command_line
from resample_ct.comparison.conditions import Comparison
from resample_ct.comparison.finished import Finished
from resample_ct.comparison.gather import Gathered, gather, summarise, summarise_lesions
from resample_ct.comparison.page import Picture, Section, page
from resample_ct.comparison.perceptual import find_lpips
from resample_ct.comparison.pictures import histograms, lesion_montage, middle_slice, slice_plots
from resample_ct.comparison.slides import slides
from resample_ct.run.networks import Models
from resample_ct.run.outputs import published, published_source, versions

STATEMENT = "Comparison of reconstruction methods, for research only, not for diagnosis."


def write_comparison(
    comparison: Comparison, finished: Sequence[Finished], models: Models, folder: Path
) -> None:
    """Write everything into a new `folder`."""
    folder.mkdir()
    lpips, lpips_words = find_lpips()
    gathered = [gather(part, lpips) for part in finished]
    records = [record for part in gathered for record in part.records]
    fates = [row for part in gathered for row in summarise_lesions(part.lesions, part.invented)]
    made_on = versions() | {
        "matplotlib": version("matplotlib"),
        "Python": platform.python_version(),
    }
    results = {
        "research_only": True,
        "lesions_inserted": comparison.lesions,
        "versions": made_on,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "models": models.record(),
        "conditions": [_described(part) for part in finished],
        "lpips": lpips_words,
        "summary": summarise(records),
        "tissues": [row for part in gathered for row in part.tissues],
        "coverage": [row for part in gathered for row in part.coverage],
        "lesions": {
            "summary": fates,
            "records": [row for part in gathered for row in part.lesions],
            "invented": [row for part in gathered for row in part.invented],
        },
        "records": records,
    }
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    with (folder / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(records[0]) if records else [])
        writer.writeheader()
        writer.writerows(records)
    sections = [_section(*pair) for pair in zip(finished, gathered, strict=True)]
    job = comparison.common
    facts = {"Seed": str(job.seed), "Slices at once": str(job.batch)}
    if "resample" in job.methods:
        facts["ReSample's settings"] = job.told_settings
    facts |= {
        f"Weights of {kind}": f"{m['name']}, sha256 {m['sha256']}" for kind, m in models.record().items()
    }
    facts |= {f"{part.condition.key} in results.csv": _title(part) for part in finished}
    facts |= {f"Version of {name}": number for name, number in made_on.items()}
    facts["Machine"] = f"{platform.machine()}, {torch.get_num_threads()} threads"
    title = f"ReSample-CT {__version__}: methods compared"
    report = page(title, STATEMENT, command_line(comparison), sections, lpips_words, facts)
    (folder / "report.html").write_text(report, encoding="utf-8")


def _title(part: Finished) -> str:
    """A condition in words."""
    number = part.condition.key.partition("-")[0].removeprefix("study")
    job = part.condition.job
    return f"Study {number} ({part.problem.study.name}), {job.n_angles} views, noise {job.noise}"


def _described(part: Finished) -> dict[str, Any]:
    """A condition as JSON values."""
    return {
        "condition": part.condition.key,
        "job": published(part.condition.job),
        "source": published_source(part.condition.job, part.problem),
        "angles": part.condition.job.n_angles,
        "noise": part.condition.job.noise,
        "slices": list(part.problem.indices),
        "gaps": part.gaps,
        "notes": [*part.problem.study.notes, *part.cautions],
    }


def _section(part: Finished, gathered: Gathered) -> Section:
    return Section(
        title=_title(part),
        rows=summarise(gathered.records),
        gaps=part.gaps,
        cautions=[*part.problem.study.notes, *part.cautions],
        doubts=[record for record in gathered.records if record["doubt"]],
        tissues=gathered.tissues,
        coverage=gathered.coverage,
        lesions=summarise_lesions(gathered.lesions, gathered.invented),
        slides=slides(part, gathered.records),
        slice_count=len(part.problem.indices),
        pictures=_pictures(part, gathered) if part.methods else [],
    )


def _pictures(part: Finished, gathered: Gathered) -> list[Picture]:
    shown = middle_slice(part)
    pictures = [
        Picture("Every slice", slice_plots(gathered.records)),
        Picture("HU errors by tissue of the truth, as shares of its pixels", histograms(gathered)),
    ]
    if shown.with_lesions:
        pictures.append(
            Picture(
                f"Slice {shown.index} with lesions (green squares), and what they changed",
                lesion_montage(part, shown),
            )
        )
    return pictures
