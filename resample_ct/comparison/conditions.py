"""What is compared: every method under every condition, a study at a noise and a number of views."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from resample_ct.errors import OptionError
from resample_ct.physics.noise_text import read_noise
from resample_ct.physics.sinogram_file import is_sinogram_file
from resample_ct.run.job import Job


@dataclass(frozen=True)
class Condition:
    """One study, noise and number of views; `key` names it in files and tables."""

    key: str
    job: Job


@dataclass(frozen=True)
class Comparison:
    """The options of `resample-ct compare`.

    Attributes:
        common: what all conditions share; its source, series, views and noise are not used.
        studies: with pixels, as the truth.
        series: SeriesInstanceUID of each study, in their order, "" of one that holds a single series;
            none where all do.
        noises: see `resample_ct.physics.noise.parse_noise`.
        angles: numbers of views.
        lesions: also insert lesions, and count what is kept and invented.
    """

    common: Job
    studies: tuple[Path, ...]
    series: tuple[str, ...] = ()
    noises: tuple[str, ...] = ("gaussian:0.01",)
    angles: tuple[int, ...] = (25,)
    lesions: bool = False

    def __post_init__(self) -> None:
        for study in self.studies:
            if is_sinogram_file(study):
                raise OptionError(
                    f"{study}: found a sinogram file, which has no truth to compare with, expected a "
                    "study; use `resample-ct reconstruct`"
                )
        if self.series and len(self.series) != len(self.studies):
            raise OptionError(
                f"--series: found {len(self.series)} for {len(self.studies)} studies, expected one for "
                "each, in their order"
            )
        for noise in self.noises:
            read_noise(noise)
        sources = [" ".join(filter(None, map(str, source))) for source in self._sources()]
        axes = {"STUDY": sources, "--noise": self.noises, "--angles": self.angles}
        for name, values in axes.items():
            if not values or len(set(values)) < len(values):
                given = ", ".join(map(str, values)) or "nothing"
                raise OptionError(f"{name}: found {given}, expected one or more, each once")

    def conditions(self) -> Iterator[Condition]:
        """Studies one after another, and of each every noise, and at each every number of views."""
        for (number, (study, uid)), (level, noise), views in product(
            enumerate(self._sources(), 1), enumerate(self.noises, 1), self.angles
        ):
            job = replace(self.common, source=study, series=uid, noise=noise, n_angles=views)
            yield Condition(f"study{number}-noise{level}-views{views}", job)

    def _sources(self) -> list[tuple[Path, str | None]]:
        """Each study and the series to take of it, where it says which."""
        series = self.series or ("",) * len(self.studies)
        return [(study, uid or None) for study, uid in zip(self.studies, series, strict=True)]

    def record(self) -> dict[str, Any]:
        """The options as JSON values, to tell this comparison from another."""
        conditions = {condition.key: condition.job.record() for condition in self.conditions()}
        return {"lesions": self.lesions, "conditions": conditions}
