"""A slice through the chest: lungs about heart and great vessels, ribs, spine, shoulder blades."""

from __future__ import annotations

import numpy as np

from fine_tune.anatomy import mediastinum
from fine_tune.anatomy.canvas import Canvas, ellipse_distance, oval
from fine_tune.anatomy.lungs import paint_disease, paint_fissure, paint_parenchyma, paint_tree
from fine_tune.anatomy.palette import Palette
from fine_tune.anatomy.skeleton import paint_flat_bone, paint_ribs, paint_vertebra
from fine_tune.anatomy.torso import Torso, paint_arms, paint_back_muscles, paint_torso


def paint_chest(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    scale: float,
    fat: float,
    thickness_mm: float,
) -> np.ndarray:
    """Paint a chest and return the skin's signed distance.

    Its level is drawn too, from the arch of the aorta (0) to the liver's dome (1).
    """
    torso = paint_torso(canvas, palette, rng, chest=True, scale=scale, fat=fat)
    level = float(rng.uniform(0, 1))
    x, y = torso.spine
    parts = mediastinum.draw_parts(rng, torso, level, scale)
    distance = np.maximum(torso.cavity, -mediastinum.outline(canvas, rng, torso, parts))
    lung = canvas.coverage(distance)
    canvas.paint(canvas.coverage(torso.cavity), palette["fat"])
    paint_parenchyma(canvas, palette, rng, lung, distance)
    for side in (-1, 1):
        here = lung * (np.sign(canvas.x - x) == side)
        hilum = x + side * rng.uniform(24, 36), y - (y - torso.front) * rng.uniform(0.3, 0.48)
        paint_tree(canvas, palette, rng, here, hilum, side, rng.uniform(90, 125) * scale, thickness_mm)
        if rng.random() < 0.6:
            paint_fissure(canvas, palette, rng, here, x + side * 75, y - 30)
        if rng.random() < 0.2:
            paint_disease(canvas, palette, rng, here, distance)
    mediastinum.paint_parts(canvas, palette, rng, torso, parts, level)
    if level > 0.72:
        _paint_domes(canvas, palette, rng, torso, lung, level)
    paint_back_muscles(canvas, palette, rng, torso)
    paint_vertebra(canvas, palette, rng, x, y, torso.size, torso.back)
    paint_ribs(canvas, palette, rng, torso.cavity_contour, torso.polar, torso.cavity)
    _paint_sternum(canvas, palette, rng, torso)
    if level < 0.6:
        _paint_shoulder_blades(canvas, palette, rng, torso)
    if rng.random() < 0.2:
        paint_arms(canvas, palette, rng, torso)
    return torso.skin


def _paint_domes(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    torso: Torso,
    lung: np.ndarray,
    level: float,
) -> None:
    """The tops of liver and spleen under the diaphragm, with lung about them."""
    grown = (level - 0.72) / 0.28
    for side, tissue, size in ((-1, "liver", 0.85), (1, "spleen", 0.6)):
        radius = 20 + size * 75 * grown * rng.uniform(0.7, 1.1)
        centre = torso.polar.x + side * rng.uniform(62, 78), torso.polar.y + rng.uniform(-5, 25)
        dome = oval(rng, (radius * 0.85, radius), 2.1, 0.04).distance(canvas.polar(*centre))
        soft = np.clip(0.5 - dome / rng.uniform(2, 7), 0, 1)  # the dome is cut askew
        canvas.paint(lung * soft, palette[tissue])


def _paint_sternum(canvas: Canvas, palette: Palette, rng: np.random.Generator, torso: Torso) -> None:
    wide, flat = rng.uniform(13, 22), rng.uniform(4, 6.5)
    centre = torso.polar.x + rng.normal(0, 2), torso.front - flat - rng.uniform(1, 4)
    area = canvas.window(*centre, wide + 5)
    x, y = canvas.x[area] - centre[0], canvas.y[area] - centre[1]
    distance = ellipse_distance(x, y + 0.004 * x * x, (wide, flat), rng.normal(0, 0.05))
    canvas.paint(canvas.coverage(distance), palette["cortical bone"], area)
    canvas.paint(canvas.coverage(distance + rng.uniform(0.8, 1.5)), palette["cancellous bone"], area)
    if rng.random() < 0.6:  # costal cartilage
        for side in (-1, 1):
            start = centre[0] + side * (wide + 6), centre[1] + 3
            end = start[0] + side * rng.uniform(12, 30), start[1] + rng.uniform(4, 14)
            canvas.tube(palette["cartilage"], start, end, rng.uniform(4, 6))


def _paint_shoulder_blades(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, torso: Torso
) -> None:
    for side in (-1, 1):
        theta = np.pi / 2 - side * rng.uniform(0.75, 1.0)
        length = rng.uniform(25, 60)
        radius = torso.cavity_contour.radius(theta) + rng.uniform(16, 24)
        x = torso.polar.x + radius * float(np.cos(theta))
        y = torso.polar.y + radius * float(np.sin(theta))
        heading = theta - side * (np.pi / 2 + rng.uniform(-0.15, 0.2))
        dx, dy = float(np.cos(heading)), float(np.sin(heading))
        bend = rng.uniform(-5, 5)
        points = [
            (x - dx * length / 2, y - dy * length / 2),
            (x - dy * bend, y + dx * bend),
            (x + dx * length / 2, y + dy * length / 2),
        ]
        paint_flat_bone(canvas, palette, rng, points, rng.uniform(1.4, 2.6))
        if rng.random() < 0.5:
            canvas.ellipse(
                palette["cortical bone"], points[2], (rng.uniform(4, 9), rng.uniform(3, 6)), theta
            )
