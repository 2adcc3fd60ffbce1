"""A condition whose batches are all on disk, read back slice by slice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from resample_ct.comparison.conditions import Condition
from resample_ct.run.inputs import Problem
from resample_ct.run.outputs import BatchFiles


@dataclass(frozen=True)
class ComparedSlice:
    """One slice under one condition.

    Attributes:
        index: its place in the study.
        truth: (row, column) relative attenuation.
        sinogram: (1, 1, angle, detector), as measured.
        images: of each method that did not refuse, (row, column) in [0, 1].
        spreads: the images' standard deviation, of each method that says it.
        with_lesions: as `images` where lesions were put in, else empty.
    """

    index: int
    truth: np.ndarray
    sinogram: torch.Tensor
    images: dict[str, np.ndarray]
    spreads: dict[str, np.ndarray]
    with_lesions: dict[str, np.ndarray]


@dataclass(frozen=True)
class Finished:
    """What a condition left.

    Attributes:
        condition: which.
        problem: its slices.
        plain: results of the slices as they are.
        sick: the same with lesions, None where none were asked for.
        gaps: why a method has no result, by method.
        cautions: what to know about the results that there are.
    """

    condition: Condition
    problem: Problem
    plain: BatchFiles
    sick: BatchFiles | None
    gaps: dict[str, str]
    cautions: list[str]

    @property
    def methods(self) -> list[str]:
        """Those that have results, in the order asked for."""
        return [name for name in self.condition.job.methods if name not in self.gaps]

    def slices(self) -> Iterator[ComparedSlice]:
        """One after another; a batch of each method is in memory."""
        plain = {name: self.plain.images(name) for name in self.methods}
        spreads = {name: self.plain.spreads(name) for name in self.methods}
        sick = {} if self.sick is None else {name: self.sick.images(name) for name in self.methods}
        for first, stop in self.plain.ranges:
            batch = self.problem.load(self.problem.indices[first:stop])
            assert batch.truth is not None
            for place, index in enumerate(batch.indices):
                said = {name: next(values, None) for name, values in spreads.items()}
                yield ComparedSlice(
                    index=index,
                    truth=batch.truth[place, 0].numpy(),
                    sinogram=batch.sinogram[place : place + 1],
                    images={name: next(images) for name, images in plain.items()},
                    spreads={name: value for name, value in said.items() if value is not None},
                    with_lesions={name: next(images) for name, images in sick.items()},
                )
