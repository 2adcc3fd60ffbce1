"""What chest and abdomen share: outline, skin, fat, the wall of muscle, the spine's back muscles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fine_tune.anatomy.canvas import ANGLES, Canvas, Contour, Polar, oval, ripple, smooth_union
from fine_tune.anatomy.palette import Palette
from fine_tune.anatomy.skeleton import paint_long_bone


@dataclass(frozen=True)
class Torso:
    """The trunk's layers as signed distances in mm, and the outlines that they came from.

    Attributes:
        polar: about the trunk's centre.
        skin: distance from the outside.
        wall: from the muscle's outside.
        cavity: from the inside of wall and ribs.
        cavity_contour: the outline of that.
        back: y of the muscle's back at the midline.
        front: y of its front at the midline.
        spine: x and y of the vertebral body's centre.
        size: half width of that body.
    """

    polar: Polar
    skin: np.ndarray
    wall: np.ndarray
    cavity: np.ndarray
    cavity_contour: Contour
    back: float
    front: float
    spine: tuple[float, float]
    size: float


def _flattened(contour: Contour, below: float) -> Contour:
    """The back lies on a table: what hangs lower than `below` mm is pressed flat, but not quite."""
    down = contour.radii * np.sin(ANGLES)
    over = np.maximum(down - below, 0)
    return Contour((contour.radii * (1 - 0.75 * over / np.maximum(down, 1e-3))).astype(np.float32))


def paint_torso(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, chest: bool, scale: float, fat: float
) -> Torso:
    """Paint skin, fat and muscle, and say where the cavity is.

    Args:
        canvas: in air.
        palette: of the patient.
        rng: source of the shape.
        chest: whether there are ribs: a thicker wall.
        scale: of the patient, 1 for the average.
        fat: its mean thickness in mm.
    """
    across = scale * rng.uniform(130, 155) + (18 if chest else 12)
    deep = across * rng.uniform(0.64, 0.80)
    inner = oval(rng, (across, deep), rng.uniform(2.2, 2.7), 0.0)
    inner = Contour(inner.radii * (1 + 0.02 * ripple(rng, (2, 7), 0.15)).astype(np.float32))
    inner = _flattened(inner, deep * 0.86)
    # Fat lies thickest in front and at the flanks, thinnest over the spine.
    over_spine = np.exp(-(((ANGLES - np.pi / 2) / 0.3) ** 2))
    share = 1 + 0.2 * ripple(rng, (1, 6), 0.2) - 0.25 * np.sin(ANGLES) - 0.35 * over_spine
    if chest and rng.random() < 0.5:
        lobes = sum(np.exp(-(((ANGLES + np.pi / 2 + a) / 0.35) ** 2)) for a in (-0.62, 0.62))
        share = share + lobes * rng.uniform(0.1, 0.8)
    outer = Contour((inner.radii + fat * np.clip(share, 0.3, None)).astype(np.float32))
    wall = rng.uniform(17, 24) if chest else rng.uniform(8, 15)
    # Back muscles behind the ribs; shoulder and chest muscles at the corners.
    behind = np.clip(np.sin(ANGLES), 0, 1) ** 2
    thickness = wall * (1 + 0.1 * ripple(rng, (1, 6), 0.2)) + behind * rng.uniform(10, 18)
    if chest:
        thickness = thickness + rng.uniform(0, 12) * np.abs(np.sin(2 * ANGLES)) ** 2
    cavity = Contour((inner.radii - np.clip(thickness, 6, None)).astype(np.float32))
    polar = canvas.polar(float(rng.normal(0, 5)), float(rng.normal(-4, 8)))
    skin, muscle, hollow = (c.distance(polar) for c in (outer, inner, cavity))
    size = scale * (rng.uniform(14, 18) if chest else rng.uniform(18, 22))
    behind_spine = polar.y + inner.radius(np.pi / 2)
    spine_y = behind_spine - size * 0.8 - rng.uniform(38, 46)
    torso = Torso(
        polar=polar,
        skin=skin,
        wall=muscle,
        cavity=hollow,
        cavity_contour=cavity,
        back=behind_spine,
        front=polar.y - cavity.radius(-np.pi / 2),
        spine=(polar.x + float(rng.normal(0, 2)), float(spine_y)),
        size=size,
    )
    _paint_layers(canvas, palette, rng, torso)
    return torso


def _paint_layers(canvas: Canvas, palette: Palette, rng: np.random.Generator, torso: Torso) -> None:
    canvas.paint(canvas.coverage(torso.skin), palette.shifted("muscle", -20))
    canvas.paint(canvas.coverage(torso.skin + rng.uniform(1.2, 2.4)), palette["fat"])
    canvas.paint(canvas.coverage(torso.wall), palette["muscle"])
    # Planes of fat between the muscles, here wider, there closed.
    for depth in rng.uniform(3, 22, rng.integers(1, 4)):
        gaps = np.interp(torso.polar.theta, ANGLES, ripple(rng, (2, 14)))
        plane = np.abs(torso.wall + depth) - rng.uniform(0.8, 2.2) * (gaps - 0.2)
        canvas.paint(0.85 * canvas.coverage(plane), palette["fat"])


def paint_back_muscles(canvas: Canvas, palette: Palette, rng: np.random.Generator, torso: Torso) -> None:
    """The long muscles on both sides of the spinous processes, in a sheath of fat."""
    x, y = torso.spine
    top = y + torso.size * 0.7
    down = (torso.back - top) / 2
    across = max(down, torso.size) * rng.uniform(1.0, 1.3)
    shapes = []
    for side in (-1, 1):
        polar = canvas.polar(x + side * (across + 3), top + down)
        shapes.append(oval(rng, (across, down), 2.3, 0.03, side * 0.15).distance(polar))
    both = smooth_union(shapes[0], shapes[1], 2.0)
    inside = canvas.coverage(torso.wall)
    canvas.paint(canvas.coverage(both - rng.uniform(1, 3)) * inside, palette["fat"])
    canvas.paint(canvas.coverage(both) * inside, palette["muscle"])


def paint_arms(canvas: Canvas, palette: Palette, rng: np.random.Generator, torso: Torso) -> None:
    """Arms beside the trunk."""
    for side in (-1, 1):
        radius = rng.uniform(38, 52)
        theta = 0.0 if side > 0 else np.pi
        edge = torso.polar.rho[np.abs(torso.skin) < 3]
        x = torso.polar.x + side * (float(edge.max()) + radius * rng.uniform(0.75, 1.05))
        y = torso.polar.y + rng.uniform(0, 60)
        distance = oval(rng, (radius, radius * rng.uniform(0.9, 1.2)), 2.0, 0.02, theta).distance(
            canvas.polar(x, y)
        )
        canvas.paint(canvas.coverage(distance), palette["muscle"])
        canvas.paint(canvas.coverage(distance + 1.8), palette["fat"])
        canvas.paint(canvas.coverage(distance + rng.uniform(6, 14)), palette["muscle"])
        paint_long_bone(
            canvas, palette, rng, x + rng.normal(0, 4), y + rng.normal(0, 4), rng.uniform(10, 14)
        )
