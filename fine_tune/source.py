"""Where training batches come from: weighted draws of slices, each augmented."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from fine_tune.anatomy.draw import draw_slice
from fine_tune.augment import augment
from resample_ct.values.units import Window


class SliceItems(Protocol):
    """A dataset of slices, MONAI's or a list."""

    def __getitem__(self, index: int, /) -> Any:
        """A dict with `image` and `next`."""
        ...


class SliceSource:
    """Draws augmented slices; what a batch holds depends on its generator alone.

    Args:
        dataset: items with `image` and `next`, each (1, H, H) relative attenuation in [0, 1]; `next`
            is the neighbour along the normal.
        weights: (N,) of the draws.
        anatomy: share of the draws that are schematic slices, each drawn anew.
        window: HU that are 0 and 1 in those.
    """

    def __init__(
        self,
        dataset: SliceItems,
        weights: torch.Tensor,
        anatomy: float = 0.0,
        window: Window | None = None,
    ) -> None:
        self.dataset = dataset
        self.weights = weights
        self.anatomy = anatomy
        self.window = window or Window()

    def draw(self, batch: int, size: int, generator: torch.Generator) -> torch.Tensor:
        """(batch, 1, size, size) in [0, 1]; `size` = H takes whole slices."""
        chosen = torch.multinomial(self.weights, batch, replacement=True, generator=generator)
        items = [self.dataset[int(index)] for index in chosen]
        current = torch.stack([torch.as_tensor(item["image"]).float() for item in items])
        following = torch.stack([torch.as_tensor(item["next"]).float() for item in items])
        if self.anatomy > 0:
            for place in torch.nonzero(torch.rand(batch, generator=generator) < self.anatomy).flatten():
                current[place] = following[place] = draw_slice(generator, self.window)
        return augment(current, following, size, generator)
