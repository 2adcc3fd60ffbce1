"""A slice through the shoulders: the lungs' tips, windpipe, arm bones, blades and collar bones."""

from __future__ import annotations

import numpy as np

from fine_tune.anatomy.canvas import ANGLES, Canvas, Contour, oval, ripple, segment_distance
from fine_tune.anatomy.lungs import paint_parenchyma
from fine_tune.anatomy.palette import Palette, plain
from fine_tune.anatomy.skeleton import paint_bone, paint_flat_bone, paint_vertebra


def paint_shoulders(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, scale: float
) -> np.ndarray:
    """Paint shoulders and return the skin's signed distance."""
    across, deep = scale * rng.uniform(185, 215), scale * rng.uniform(72, 90)
    across = min(across, 124 * canvas.spacing_mm)
    inner = oval(rng, (across, deep), rng.uniform(2.0, 2.5), 0.0)
    inner = Contour(inner.radii * (1 + 0.02 * ripple(rng, (2, 7), 0.15)).astype(np.float32))
    fat = (rng.gamma(2.2, 4.0) + 4) * (1 + 0.2 * ripple(rng, (1, 6), 0.2))
    polar = canvas.polar(float(rng.normal(0, 4)), float(rng.normal(0, 8)))
    skin = Contour((inner.radii + np.clip(fat, 2, None)).astype(np.float32)).distance(polar)
    muscle = inner.distance(polar)
    canvas.paint(canvas.coverage(skin), palette.shifted("muscle", -20))
    canvas.paint(canvas.coverage(skin + 1.8), palette["fat"])
    x, y = polar.x, polar.y + deep * rng.uniform(0.15, 0.3)
    _paint_muscles(canvas, palette, rng, canvas.coverage(muscle), (x, y), across)
    _paint_tips(canvas, palette, rng, (x, y), deep)
    _paint_neck(canvas, palette, rng, (x, y), deep)
    paint_vertebra(canvas, palette, rng, x, y, scale * rng.uniform(12, 15), y + deep * 0.6)
    for side in (-1, 1):
        _paint_girdle(canvas, palette, rng, side, (x, y), across, deep)
    return skin


def _paint_muscles(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    inside: np.ndarray,
    spine: tuple[float, float],
    across: float,
) -> None:
    """Bundles with fat between them."""
    canvas.paint(inside, palette["muscle"])
    for _ in range(rng.integers(10, 22)):
        centre = spine[0] + rng.uniform(-0.95, 0.95) * across, spine[1] + rng.uniform(-70, 45)
        bundle = oval(rng, (rng.uniform(15, 50), rng.uniform(8, 22)), 2.0, 0.1, rng.uniform(-0.6, 0.6))
        edge = np.abs(bundle.distance(canvas.polar(*centre))) - rng.uniform(0.5, 2)
        breaks = np.interp(canvas.polar(*centre).theta, ANGLES, ripple(rng, (1, 8)))
        canvas.paint(inside * 0.85 * canvas.coverage(edge + np.maximum(-breaks, 0) * 3), palette["fat"])


def _paint_tips(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, spine: tuple[float, float], deep: float
) -> None:
    """The two lungs' tips, each inside its first ribs."""
    radius = rng.uniform(10, 34)
    for side in (-1, 1):
        size = radius * rng.uniform(0.85, 1.15)
        centre = spine[0] + side * (22 + size), spine[1] - rng.uniform(0, 12)
        contour = oval(rng, (size, size * rng.uniform(1.0, 1.3)), 2.1, 0.04)
        polar = canvas.polar(*centre)
        distance = contour.distance(polar)
        ring = np.abs(distance - 8) - rng.uniform(2.8, 4)
        gaps = np.interp(polar.theta, ANGLES, ripple(rng, (2, 6))) - rng.uniform(-0.2, 0.6)
        whole = (slice(None), slice(None))
        paint_bone(canvas, palette, np.maximum(ring, -6 * gaps), rng.uniform(0.9, 1.5), whole)
        paint_parenchyma(canvas, palette, rng, canvas.coverage(distance), distance)


def _paint_neck(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, spine: tuple[float, float], deep: float
) -> None:
    """Fat in front of the spine with windpipe, gullet, thyroid and vessels."""
    x, y = spine[0], spine[1] - rng.uniform(32, 40)
    fat = oval(rng, (rng.uniform(22, 32), rng.uniform(22, 30)), 2.2, 0.06)
    canvas.paint(0.8 * canvas.coverage(fat.distance(canvas.polar(x, y - 2))), palette["fat"])
    radius = rng.uniform(7, 10)
    for side in (-1, 1):
        canvas.ellipse(
            palette["blood"], (x + side * rng.uniform(15, 24), y - 4), (rng.uniform(3.5, 7), 5)
        )
        canvas.ellipse(palette["blood"], (x + side * rng.uniform(24, 34), y + 6), (5, rng.uniform(4, 7)))
        if rng.random() < 0.5:
            lobe = palette.shifted("muscle", rng.uniform(30, 90))
            canvas.ellipse(lobe, (x + side * (radius + 5), y - 4), (6, rng.uniform(8, 13)))
    canvas.ellipse(palette["muscle"], (x + rng.normal(2, 2), y + radius + 7), (8, 4.5))
    canvas.ellipse(palette["cartilage"], (x, y), (radius + 1.5, radius + 1.5))
    canvas.ellipse(plain(-990.0, 3), (x, y), (radius, radius * rng.uniform(0.85, 1.1)))


def _paint_girdle(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    side: int,
    spine: tuple[float, float],
    across: float,
    deep: float,
) -> None:
    """Humerus in its socket, blade and collar bone of one side."""
    x, y = spine
    head = x + side * across * rng.uniform(0.70, 0.78), y - deep * rng.uniform(0.1, 0.25)
    radius = rng.uniform(17, 24)
    whole = (slice(None), slice(None))
    ball = oval(rng, (radius, radius * 1.05), 2.1, 0.04).distance(canvas.polar(*head))
    paint_bone(canvas, palette, ball, rng.uniform(1.0, 1.8), whole)
    socket = head[0] - side * (radius + 8), head[1] + rng.uniform(4, 12)
    blade = [socket, (x + side * 95, y + rng.uniform(5, 18)), (x + side * rng.uniform(55, 75), y + 28)]
    paint_flat_bone(canvas, palette, rng, blade, rng.uniform(2, 3.5))
    area = canvas.window(*socket, 16)
    knob = segment_distance(
        canvas.x[area], canvas.y[area], (socket[0], socket[1] - 8), (socket[0] + side * 2, socket[1] + 8)
    )
    paint_bone(canvas, palette, knob - 5, 1.2, area)
    if rng.random() < 0.7:
        inner = x + side * rng.uniform(14, 30), y - deep * rng.uniform(0.65, 0.8)
        outer = inner[0] + side * rng.uniform(25, 75), inner[1] + rng.uniform(-8, 12)
        paint_flat_bone(canvas, palette, rng, [inner, outer], rng.uniform(4, 6))
