"""The command that a comparison is, for its report."""

from __future__ import annotations

import shlex

from resample_ct.comparison.conditions import Comparison
from resample_ct.reconstruct.resample_settings import changes


def command_line(comparison: Comparison) -> str:
    """What to type for the same comparison; without names of files where they may name the patient."""
    job = comparison.common
    hidden = job.deidentify
    words = ["resample-ct", "compare"]
    words += [f"STUDY{n}" if hidden else str(study) for n, study in enumerate(comparison.studies, 1)]
    for series in () if hidden else comparison.series:
        words += ["--series", series]
    for method in job.methods:
        words += ["--method", method]
    for noise in comparison.noises:
        words += ["--noise", noise]
    for angles in comparison.angles:
        words += ["--angles", str(angles)]
    for name in ("geometry", "arc", "detectors", "pixels", "kvp", "slices"):
        value = getattr(job, name)
        if value is not None:
            words += [f"--{name}", str(value)]
    if job.preset is not None:
        words += ["--preset", job.preset]
        for change in changes(job.settings, job.preset):
            words += ["--set", change]
    for kind, folder in job.bundles.items():
        words += [f"--{kind}", "BUNDLE" if hidden else str(folder)]
    words += ["--seed", str(job.seed), "--batch", str(job.batch), "--device", job.device]
    words += [flag for flag in ("--lesions",) if comparison.lesions]
    words += [flag for flag in ("--deidentify",) if hidden]
    words += ["--out", "OUT" if hidden else str(job.out)]
    return shlex.join(words)
