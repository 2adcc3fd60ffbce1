"""Bones: a dense shell about spongy bone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fine_tune.anatomy.canvas import Canvas, Contour, Polar, ellipse_distance, oval, segment_distance
from fine_tune.anatomy.palette import Palette, plain


def paint_bone(
    canvas: Canvas, palette: Palette, distance: np.ndarray, shell_mm: float, area: tuple[slice, slice]
) -> None:
    """A bone by signed distance in a window: shell of cortical bone, cancellous within."""
    canvas.paint(canvas.coverage(distance), palette["cortical bone"], area)
    canvas.paint(canvas.coverage(distance + shell_mm), palette["cancellous bone"], area)


def paint_vertebra(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    x: float,
    y: float,
    size: float,
    behind: float,
) -> None:
    """Body, canal, pedicles, laminae, transverse and spinous process.

    Args:
        canvas: to paint on.
        palette: of the patient.
        rng: source of the shape.
        x: of the vertebral body's centre.
        y: of the same.
        size: half width of the body in mm: 15 in the upper chest, 24 in the loins.
        behind: y that the spinous process must not pass.
    """
    depth = size * rng.uniform(0.72, 0.82)
    canal = rng.uniform(7.5, 9.5)
    back = y + depth + canal * 0.8
    shell = rng.uniform(0.8, 1.5)
    area = canvas.window(x, y + size, 4.2 * size)
    gx, gy = canvas.x[area] - x, canvas.y[area]
    arch = np.abs(np.hypot(gx, (gy - back) * 1.05) - canal - 3.0) - rng.uniform(2.5, 3.5)
    reach = size * rng.uniform(1.2, 1.9)
    tip = min(back + canal + rng.uniform(18, 32), behind)
    rise = rng.uniform(2, 12)
    processes = np.minimum.reduce(
        [
            segment_distance(gx, gy, (side * (canal + 3), back), (side * reach, back + rise)) - 3.8
            for side in (-1, 1)
        ]
    )
    # The spinous process slants down: a slice shows all of it, its tip alone, or nothing.
    shown = rng.random()
    if shown < 0.7:
        first = back + canal if shown < 0.35 else tip - rng.uniform(3, 10)
        lean = rng.normal(0, 1.5)
        spine = segment_distance(gx, gy, (lean, first), (lean, tip)) - rng.uniform(2.2, 4.0)
        processes = np.minimum(processes, spine)
    paint_bone(canvas, palette, np.minimum(arch, processes), 0.7 * shell, area)
    polar = canvas.polar(x, y)
    body = oval(rng, (size, depth), power=2.4, wobble=0.02).distance(polar)[area]
    # The canal takes a bite out of the body's back.
    body = np.maximum(body, -(np.hypot(gx, gy - back) - canal))
    disc = rng.random() < 0.2
    if disc:
        canvas.paint(canvas.coverage(body), palette["cartilage"], area)
    else:
        paint_bone(canvas, palette, body, shell, area)
    hole = ellipse_distance(gx, gy - back, (canal * 1.15, canal))
    canvas.paint(canvas.coverage(hole), palette["fat"], area)
    canvas.paint(canvas.coverage(hole + 1.5), palette["muscle"], area)


def paint_ribs(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    cavity: Contour,
    polar: Polar,
    depth: np.ndarray,
) -> None:
    """Ribs cut askew: long ellipses that follow the chest's wall.

    Args:
        canvas: to paint on.
        palette: of the patient.
        rng: source of number, place and length.
        cavity: the pleura's outline.
        polar: about its centre.
        depth: signed distance from that outline.
    """
    gap = rng.uniform(0.34, 0.6)
    for side in (-1, 1):
        theta = np.pi / 2 - side * rng.uniform(0.5, 0.7)
        while (side > 0 and theta > -1.25) or (side < 0 and theta < np.pi + 1.25):
            length = rng.uniform(7, 26)
            thickness = rng.uniform(3.2, 4.6)
            _paint_rib(canvas, palette, rng, cavity, polar, depth, theta, length, thickness)
            theta -= side * gap * rng.uniform(0.75, 1.3)


def _paint_rib(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    cavity: Contour,
    polar: Polar,
    depth: np.ndarray,
    theta: float,
    length: float,
    thickness: float,
) -> None:
    radius = cavity.radius(theta)
    x = polar.x + (radius + 5) * float(np.cos(theta))
    y = polar.y + (radius + 5) * float(np.sin(theta))
    area = canvas.window(x, y, length + 6)
    turn = (polar.theta[area] - theta + np.pi) % (2 * np.pi) - np.pi
    along = turn * polar.rho[area]
    askew = rng.uniform(-0.15, 0.15)
    across = depth[area] - 2.0 - thickness - askew * along
    distance = ellipse_distance(along, across, (length, thickness))
    paint_bone(canvas, palette, distance, rng.uniform(0.9, 1.6), area)


def paint_long_bone(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, x: float, y: float, radius: float
) -> None:
    """Humerus or femur: a thick ring about marrow."""
    area = canvas.window(x, y, radius + 4)
    distance = ellipse_distance(
        canvas.x[area] - x, canvas.y[area] - y, (radius, radius * rng.uniform(0.85, 1)), rng.uniform(0, 3)
    )
    canvas.paint(canvas.coverage(distance), palette["cortical bone"], area)
    marrow = plain(float(rng.uniform(-60, 60)), 15.0)
    canvas.paint(canvas.coverage(distance + radius * rng.uniform(0.25, 0.45)), marrow, area)


def paint_flat_bone(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    points: list[tuple[float, float]],
    radius: float,
) -> None:
    """Scapula, clavicle, iliac wing: a bent strip of bone through the points."""
    middle = np.mean(points, axis=0)
    reach = float(np.max(np.hypot(*(np.array(points) - middle).T))) + radius + 3
    area = canvas.window(float(middle[0]), float(middle[1]), reach)
    parts = [segment_distance(canvas.x[area], canvas.y[area], a, b) for a, b in pairwise(points)]
    paint_bone(
        canvas, palette, np.minimum.reduce(parts) - radius, min(rng.uniform(1.0, 1.8), radius), area
    )
