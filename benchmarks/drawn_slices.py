"""Draw the grid of schematic slices in docs/images, so that they can be looked at.

python benchmarks/drawn_slices.py [PNG]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.image
import torch
import torch.nn.functional as F

from fine_tune.anatomy.draw import draw_slice
from resample_ct.values.units import Window

SIDE = 4
LOWEST_HU, HIGHEST_HU = -1000, 600


def grid(seed: int = 0) -> torch.Tensor:
    """(512, 512) HU of sixteen slices at half their size."""
    generator, window = torch.Generator().manual_seed(seed), Window()
    slices = [window.to_hu(draw_slice(generator, window)[0]) for _ in range(SIDE**2)]
    rows = [torch.cat(slices[i * SIDE : (i + 1) * SIDE], 1) for i in range(SIDE)]
    return F.avg_pool2d(torch.cat(rows)[None], 2)[0]


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/images/drawn-slices.png")
    matplotlib.image.imsave(path, grid().numpy(), cmap="gray", vmin=LOWEST_HU, vmax=HIGHEST_HU)
    print(path)
