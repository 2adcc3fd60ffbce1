"""One schematic CT slice from random numbers."""

from __future__ import annotations

import numpy as np
import torch

from fine_tune.anatomy.abdomen import paint_abdomen
from fine_tune.anatomy.canvas import Canvas
from fine_tune.anatomy.chest import paint_chest
from fine_tune.anatomy.head import paint_head
from fine_tune.anatomy.palette import draw_palette
from fine_tune.anatomy.scanner import paint_covers, paint_table, scanned
from fine_tune.anatomy.shoulders import paint_shoulders
from resample_ct.errors import OptionError
from resample_ct.values.network_grid import IMAGE_SIZE
from resample_ct.values.units import Window

KINDS = {"chest": 0.55, "shoulders": 0.08, "abdomen": 0.32, "head": 0.05}
_THICKNESSES_MM = (1.0, 1.25, 2.5, 3.0, 5.0)


def draw_slice(generator: torch.Generator, window: Window, kind: str | None = None) -> torch.Tensor:
    """Draw a slice with anatomy, table, blur and noise.

    Args:
        generator: source of every random number: the same state gives the same slice.
        window: HU that become 0 and 1.
        kind: "chest", "shoulders", "abdomen" or "head"; drawn by `KINDS` where None.

    Returns:
        (1, 256, 256) float32 relative attenuation in [0, 1].

    Raises:
        OptionError: an unknown kind.
    """
    if kind is not None and kind not in KINDS:
        raise OptionError(f"kind {kind}: unknown, expected one of {', '.join(KINDS)}")
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    kind = kind or str(rng.choice(list(KINDS), p=list(KINDS.values())))
    palette = draw_palette(rng)
    scale = float(np.clip(rng.normal(1, 0.07), 0.82, 1.2))
    fat = float(min(5 + rng.gamma(2.2, 6.0), 60))
    # The field of view is set to the patient, now and then a little too small.
    widest = 155 * scale + 18 + fat
    spacing = max(rng.uniform(1.25, 1.8), widest / (IMAGE_SIZE / 2) * rng.uniform(0.9, 1.1))
    canvas = Canvas(float(rng.uniform(0.85, 1.1) if kind == "head" else spacing))
    if kind == "chest":
        thickness = float(rng.choice(_THICKNESSES_MM))
        skin = paint_chest(canvas, palette, rng, scale, fat, thickness)
    elif kind == "shoulders":
        skin = paint_shoulders(canvas, palette, rng, scale)
    elif kind == "abdomen":
        skin = paint_abdomen(canvas, palette, rng, scale, fat)
    else:
        skin = paint_head(canvas, palette, rng, scale)
    paint_covers(canvas, rng, skin)
    paint_table(canvas, rng, below=float(canvas.y[skin < 0].max()))
    return window.from_hu(torch.from_numpy(scanned(canvas, rng)))[None]
