"""Slices to train on: folders of studies, split by patient, on the network's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from resample_ct.errors import StudyError
from resample_ct.io.study import read_study
from resample_ct.slices import network_slices
from resample_ct.units import Window


@dataclass(frozen=True)
class PatientSlices:
    """One patient's slices, (N, 1, 256, 256) relative attenuation in [0, 1]."""

    patient: str
    slices: torch.Tensor


def series_folders(root: Path) -> list[Path]:
    """Folders below `root` that hold files themselves, in a fixed order."""
    return sorted({p.parent for p in root.rglob("*.dcm")})


def read_patients(roots: Sequence[Path], window: Window) -> list[PatientSlices]:
    """Read every series below the roots; the patient is the header's PatientID.

    Each file of a folder that holds slices of different series is read by itself, so that
    collections of single slices can be trained on.

    Raises:
        StudyError: no CT at all, or slices that show nothing but air.
    """
    patients: dict[str, list[torch.Tensor]] = {}
    for root in roots:
        for folder in series_folders(root):
            try:
                studies = [read_study(folder)]
            except StudyError:
                studies = [read_study(path) for path in sorted(folder.glob("*.dcm"))]
            for study in studies:
                slices, _ = network_slices(study.volume, window)
                name = str(study.headers[0].get("PatientID") or "")
                patients.setdefault(name, []).append(slices)
    if not patients:
        raise StudyError(f"--data {roots[0]}: no .dcm file below it, expected CT series")
    read = [PatientSlices(name, torch.cat(parts)) for name, parts in sorted(patients.items())]
    for patient in read:
        if float(patient.slices.max()) < 0.05:
            raise StudyError(
                f"patient {patient.patient}: every voxel is below -850 HU, expected a body; "
                "check the series' rescale intercept"
            )
    return read


def split_by_patient(
    patients: Sequence[PatientSlices], held_out: Sequence[str]
) -> tuple[list[PatientSlices], list[PatientSlices]]:
    """Training and validation patients; never a patient in both.

    Raises StudyError where no patient is held out, one is unknown, or none is left to train on.
    """
    known = {p.patient for p in patients}
    unknown = set(held_out) - known
    if unknown or not held_out or len(known) <= len(set(held_out)):
        raise StudyError(
            f"--hold-out {', '.join(sorted(held_out))}: found patients {', '.join(sorted(known))}, "
            "expected at least one of them, and one more to train on"
        )
    train = [p for p in patients if p.patient not in held_out]
    return train, [p for p in patients if p.patient in held_out]


def balanced(patients: Sequence[PatientSlices], target: float = 1 / 3) -> torch.Tensor:
    """All slices, small patients repeated so that they are about `target` of the draws together."""
    largest = max(patients, key=lambda p: len(p.slices))
    others = [p for p in patients if p is not largest]
    few = sum(len(p.slices) for p in others)
    if not few:
        return largest.slices
    repeats = max(1, round(target / (1 - target) * len(largest.slices) / few))
    small = [p.slices.repeat(repeats, 1, 1, 1) for p in others]
    return torch.cat([largest.slices, *small])
