"""One slice of a series at a time, as the networks take it, in two bytes a pixel."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from fine_tune.quality import check_values
from fine_tune.studies import Series
from resample_ct.io.study import Study
from resample_ct.progress import Update
from resample_ct.values.network_grid import network_slices
from resample_ct.values.units import Window

# 65535 steps over a window of 3000 HU: half a step is 0.023 HU, where half precision would err by 0.4.
_STEPS = 65535


def quantised(slices: torch.Tensor) -> torch.Tensor:
    """[0, 1] to 65536 steps in uint16."""
    return torch.from_numpy(np.rint(slices.numpy() * _STEPS).astype(np.uint16))


def restored(slices: torch.Tensor) -> torch.Tensor:
    """Back to float32 in [0, 1]; off by half a step at most."""
    return slices.to(torch.float32) / _STEPS


class SliceReader:
    """Reads slices by series and place; holds one series open, so ask for them series by series."""

    def __init__(
        self,
        series: Mapping[str, Series],
        drawn: Mapping[str, Sequence[int]],
        window: Window,
        progress: Update,
    ) -> None:
        self._series = series
        self._drawn = drawn
        self._window = window
        self._progress = progress
        self._open: tuple[str, Study] | None = None
        self._last: dict[tuple[str, int], tuple[torch.Tensor, float, float]] = {}
        self._read = 0

    def _study(self, key: str) -> Study:
        if self._open is None or self._open[0] != key:
            self._open = None  # two volumes are never held at once
            series = self._series[key]
            study = series.read()
            check_values(study, series.name, self._drawn[key])
            self._open = key, study
        return self._open[1]

    def read(self, key: str, index: int) -> tuple[torch.Tensor, float, float]:
        """A slice (1, 256, 256) in uint16, the spacing of its pixels and the step to the next, in mm."""
        if (key, index) not in self._last:
            one = self._study(key).select([index])
            image, reduced = network_slices(one.volume, self._window)
            result = quantised(image[0]), reduced.grid.spacing_mm[0], one.grid.thickness_mm
            # The next slice of this item is often the slice of the next.
            self._last = {**dict(list(self._last.items())[-1:]), (key, index): result}
        return self._last[key, index]

    def count(self) -> None:
        """Tell the progress that one more item has been read."""
        self._read += 1
        total = sum(len(indices) for indices in self._drawn.values())
        self._progress(min(self._read, total), total, "reading slices")


class LoadSliced(MapTransform):
    """Replaces (series, place) by the slice, and says its spacing and thickness."""

    def __init__(self, keys: KeysCollection, reader: SliceReader) -> None:
        super().__init__(keys)
        self.reader = reader

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Read what each key points to."""
        loaded = dict(data)
        for key in self.key_iterator(loaded):
            loaded[key], spacing, step = self.reader.read(*data[key])
            loaded["spacing_mm"] = spacing
            loaded["thickness_mm"] = data["thickness_mm"] or step
        self.reader.count()
        return loaded


def restore(data: Mapping[str, Any]) -> dict[str, Any]:
    """The item as training takes it: float32 slices, without the cache's own mark."""
    item = {key: value for key, value in data.items() if key != "fingerprint"}
    return {**item, "image": restored(data["image"]), "next": restored(data["next"])}
