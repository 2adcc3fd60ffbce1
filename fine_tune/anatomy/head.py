"""A slice through the head: scalp, skull, brain with its ventricles; lower down the sinuses."""

from __future__ import annotations

import numpy as np

from fine_tune.anatomy.canvas import Canvas, grain, oval, segment_distance
from fine_tune.anatomy.palette import Palette, plain


def paint_head(canvas: Canvas, palette: Palette, rng: np.random.Generator, scale: float) -> np.ndarray:
    """Paint a head and return the skin's signed distance."""
    level = float(rng.uniform(0, 1))  # 0 at the crown, 1 at the base
    size = scale * rng.uniform(0.75, 1.0 if level > 0.2 else 0.85)
    polar = canvas.polar(float(rng.normal(0, 4)), float(rng.normal(0, 6)))
    outline = oval(rng, (72 * size, 94 * size), 2.15, 0.012)
    skull = outline.distance(polar)
    skin = skull - rng.uniform(3, 8)
    canvas.paint(canvas.coverage(skin), palette["muscle"])
    canvas.paint(canvas.coverage(skin + 1.8), palette["fat"])
    bone = rng.uniform(5, 9) * (1 + 0.25 * grain(rng, 60, canvas.spacing_mm))
    canvas.paint(canvas.coverage(skull), palette["cortical bone"])
    diploe = np.maximum(skull + 1.6, -(skull + bone - 1.6))
    canvas.paint(canvas.coverage(diploe), palette.shifted("cancellous bone", rng.uniform(50, 350)))
    inside = canvas.coverage(skull + bone)
    canvas.paint(inside, palette["cerebrospinal fluid"])
    _paint_brain(canvas, palette, rng, skull + bone, polar.x, polar.y, size, level)
    if level > 0.7:
        _paint_base(canvas, palette, rng, polar.x, polar.y, size, canvas.coverage(skin + 4))
    return skin


def _paint_brain(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    vault: np.ndarray,
    x: float,
    y: float,
    size: float,
    level: float,
) -> None:
    """White matter within a folded cortex, ventricles, falx."""
    folds = rng.uniform(0.5, 2.0) * np.abs(grain(rng, 9, canvas.spacing_mm))
    brain = canvas.coverage(vault + rng.uniform(0.8, 3) + 2.0 * folds)
    canvas.paint(brain, palette.shifted("brain", 4))
    white = brain * np.clip(0.5 - (vault + 13 + 5 * grain(rng, 10, canvas.spacing_mm)) / 3, 0, 1)
    canvas.paint(white, palette.shifted("brain", -5))
    midline = np.abs(canvas.x - x + rng.normal(0, 0.5)) - 0.7
    canvas.paint(0.6 * brain * canvas.coverage(midline), palette.shifted("brain", 15))
    if 0.25 < level < 0.75:
        wide = rng.uniform(3, 8)
        for side in (-1, 1):
            for down, reach in ((-20 * size, 16), (22 * size, 18)):
                start = x + side * 4, y + down * 0.35
                end = x + side * rng.uniform(10, 18), y + down + np.sign(down) * reach * 0.4
                horn = segment_distance(canvas.x, canvas.y, start, end) - wide * 0.6
                canvas.paint(brain * canvas.coverage(horn), palette["cerebrospinal fluid"])
            grey = x + side * rng.uniform(16, 20), y + rng.uniform(-4, 6)
            canvas.ellipse(palette.shifted("brain", 5), grey, (7, 13), side * 0.4, brain)
        canvas.tube(palette["cerebrospinal fluid"], (x, y - 6), (x, y + 8), rng.uniform(1, 3), brain)
    if rng.random() < 0.15:  # a bleed
        spot = x + rng.normal(0, 30), y + rng.normal(0, 35)
        canvas.ellipse(
            plain(65.0, 4), spot, (rng.uniform(4, 18), rng.uniform(4, 14)), rng.uniform(0, 3), brain
        )


def _paint_base(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    x: float,
    y: float,
    size: float,
    head: np.ndarray,
) -> None:
    """Petrous bones with air cells, sinuses and orbits in front."""
    for side in (-1, 1):
        start = x + side * 62 * size, y + 22 * size
        end = x + side * 14, y + 2
        canvas.tube(palette.shifted("cortical bone", -250), start, end, rng.uniform(5, 9), head)
        for _ in range(rng.integers(8, 25)):
            spot = start[0] - side * rng.uniform(-4, 18), start[1] + rng.uniform(-12, 12)
            canvas.ellipse(plain(-800.0), spot, (rng.uniform(1, 3), rng.uniform(1, 3)), 0.0, head)
        eye = x + side * 32 * size, y - 68 * size
        canvas.ellipse(palette["fat"], (eye[0], eye[1] + 8), (19, 24), side * 0.3, head)
        canvas.ellipse(palette["fluid"], eye, (12, 12), 0.0, head)
    for _ in range(rng.integers(4, 9)):
        spot = x + rng.normal(0, 9), y - rng.uniform(30, 75) * size
        radii = rng.uniform(4, 11), rng.uniform(4, 11)
        canvas.ellipse(
            palette.shifted("cortical bone", -400), spot, (radii[0] + 1, radii[1] + 1), 0.0, head
        )
        canvas.ellipse(plain(-960.0), spot, radii, 0.0, head)
