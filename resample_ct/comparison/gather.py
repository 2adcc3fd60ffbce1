"""From reconstructed slices to figures: records of slices, errors of tissues, fates of lesions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

import numpy as np
import torch

from resample_ct.comparison.coverage import Coverage
from resample_ct.comparison.finished import ComparedSlice, Finished
from resample_ct.comparison.lesions import KEPT_SHARE, invented, kept_share, place_lesions
from resample_ct.comparison.perceptual import Distance
from resample_ct.comparison.tissues import TISSUES, body, tissue

# Beyond it all errors count in the outermost bins.
ERROR_EDGES = np.arange(-400.0, 401.0, 10.0)
SUMMARY = ("psnr", "ssim", "body_rmse_hu", "residual", "lpips", "seconds", "peak_memory_mb")


@dataclass(frozen=True)
class Gathered:
    """The figures of one condition.

    Attributes:
        records: one for each method and slice.
        tissues: HU error of each method in each tissue: pixels, mean, standard deviation.
        histograms: of the same errors over `ERROR_EDGES`, by method and tissue.
        coverage: of each method's uncertainty map, where it has one, see `Coverage`.
        lesions: one record for each method and lesion.
        invented: blobs that each method made in each slice.
    """

    records: list[dict[str, Any]]
    tissues: list[dict[str, Any]]
    histograms: dict[str, dict[str, np.ndarray]]
    coverage: list[dict[str, Any]]
    lesions: list[dict[str, Any]]
    invented: list[dict[str, Any]]


def gather(finished: Finished, lpips: Distance | None) -> Gathered:
    """Read a condition's results once, slice by slice."""
    window, pixel_mm = finished.problem.window, finished.problem.grid.spacing_mm[0]
    key = {"condition": finished.condition.key}
    errors = {name: _TissueErrors() for name in finished.methods}
    coverage = {name: Coverage() for name in finished.methods}
    extra: dict[tuple[str, int], dict[str, Any]] = {}
    lesions: list[dict[str, Any]] = []
    blobs: list[dict[str, Any]] = []
    for part in finished.slices():
        truth = window.to_hu(part.truth)
        inside = body(truth)
        for name, image in part.images.items():
            error = window.to_hu(image) - truth
            errors[name].add(error, truth)
            rmse = float(np.sqrt(np.mean(error[inside] ** 2))) if inside.any() else None
            extra[name, part.index] = {"body_rmse_hu": rmse}
            if lpips is not None:
                extra[name, part.index]["lpips"] = _perceptual(lpips, image, part.truth)
            if name in part.spreads:
                coverage[name].add(image, part.truth, part.spreads[name])
            if name in part.with_lesions:
                which = key | {"method": name, "slice": part.index}
                lesions += [which | fate for fate in _fates(finished, part, name, truth)]
                blobs.append(which | {"invented": invented(window.to_hu(image), truth, inside, pixel_mm)})
    where = {"angles": finished.condition.job.n_angles, "noise": finished.condition.job.noise}
    return Gathered(
        records=[
            key | where | record | extra[name, record["slice"]]
            for name in finished.methods
            for record in finished.plain.records(name)
        ],
        tissues=[key | {"method": name} | row for name in errors for row in errors[name].rows()],
        histograms={name: found.counts for name, found in errors.items()},
        coverage=[
            key | {"method": name} | found
            for name, counts in coverage.items()
            if (found := counts.record(window.width)) is not None
        ],
        lesions=lesions,
        invented=blobs,
    )


def _perceptual(lpips: Distance, image: np.ndarray, truth: np.ndarray) -> float:
    return lpips(torch.from_numpy(image)[None, None], torch.from_numpy(truth)[None, None])


def _fates(
    finished: Finished, part: ComparedSlice, method: str, truth_hu: np.ndarray
) -> list[dict[str, Any]]:
    """What a method made of each lesion in a slice."""
    window, pixel_mm = finished.problem.window, finished.problem.grid.spacing_mm[0]
    lesions = place_lesions(truth_hu, pixel_mm, finished.condition.job.seed, part.index)
    pair = window.to_hu(part.with_lesions[method]), window.to_hu(part.images[method])
    shares = kept_share(*pair, lesions, pixel_mm)
    return [
        lesion.record() | {"kept_share": share, "survived": share >= KEPT_SHARE}
        for lesion, share in zip(lesions, shares, strict=True)
    ]


class _TissueErrors:
    """HU errors of one method, summed up pixel by pixel."""

    def __init__(self) -> None:
        self.counts = {name: np.zeros(len(ERROR_EDGES) - 1, np.int64) for name in TISSUES}
        # Pixels, sum and sum of squares.
        self.sums = {name: np.zeros(3) for name in TISSUES}

    def add(self, error: np.ndarray, truth_hu: np.ndarray) -> None:
        for name in TISSUES:
            values = error[tissue(truth_hu, name)].astype(np.float64)
            self.counts[name] += np.histogram(values.clip(ERROR_EDGES[0], ERROR_EDGES[-1]), ERROR_EDGES)[
                0
            ]
            self.sums[name] += values.size, values.sum(), np.square(values).sum()

    def rows(self) -> list[dict[str, Any]]:
        rows = []
        for name, (pixels, total, squares) in self.sums.items():
            if pixels:
                mean = total / pixels
                spread = float(np.sqrt(max(squares / pixels - mean**2, 0.0)))
                rows.append(
                    {"tissue": name, "pixels": int(pixels), "mean_hu": float(mean), "std_hu": spread}
                )
        return rows


def summarise(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard deviation over the slices of each method under each condition."""
    rows = []
    for condition, method in dict.fromkeys((r["condition"], r["method"]) for r in records):
        mine = [r for r in records if (r["condition"], r["method"]) == (condition, method)]
        row: dict[str, Any] = {"condition": condition, "method": method, "slices": len(mine)}
        for name in SUMMARY:
            values = [r[name] for r in mine if r.get(name) is not None]
            if values:
                row[name] = {"mean": fmean(values), "std": pstdev(values)}
        # Methods without a latent prior are not judged.
        if any(r["doubt"] is not None for r in mine):
            row["doubted"] = sum(bool(r["doubt"]) for r in mine)
        rows.append(row)
    return rows


def summarise_lesions(
    lesions: Sequence[dict[str, Any]], blobs: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Count, for each method and condition, the lesions inserted and kept and the blobs invented."""
    rows = []
    for condition, method in dict.fromkeys((b["condition"], b["method"]) for b in blobs):
        made = [b["invented"] for b in blobs if (b["condition"], b["method"]) == (condition, method)]
        mine = [r for r in lesions if (r["condition"], r["method"]) == (condition, method)]
        kinds = dict.fromkeys((r["tissue"], r["contrast_hu"], r["diameter_mm"]) for r in mine)
        rows.append(
            {
                "condition": condition,
                "method": method,
                "inserted": len(mine),
                "survived": sum(r["survived"] for r in mine),
                "invented_per_slice": fmean(made),
                "kinds": [
                    _kind([r for r in mine if (r["tissue"], r["contrast_hu"], r["diameter_mm"]) == kind])
                    for kind in sorted(kinds)
                ],
            }
        )
    return rows


def _kind(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Lesions of one tissue, contrast and diameter."""
    first = records[0]
    return {name: first[name] for name in ("tissue", "contrast_hu", "diameter_mm")} | {
        "inserted": len(records),
        "survived": sum(r["survived"] for r in records),
        "mean_kept_share": fmean(r["kept_share"] for r in records),
    }
