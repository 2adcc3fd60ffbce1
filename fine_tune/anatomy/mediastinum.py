"""What lies between the lungs: heart, great vessels, windpipe and gullet, in fat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from fine_tune.anatomy.canvas import Canvas, ellipse_distance, oval, smooth_union
from fine_tune.anatomy.palette import Palette, plain
from fine_tune.anatomy.torso import Torso

Range = tuple[float, float]


@dataclass(frozen=True)
class Part:
    """An ellipse of one tissue: centre and radii in mm, turn in radians."""

    centre: tuple[float, float]
    radii: tuple[float, float]
    turn: float
    tissue: str


# Ranges of x and y from a point, and of both radii; x to the patient's left.
_BEHIND: tuple[tuple[str, Range, Range, Range, Range], ...] = (
    ("blood", (14, 22), (-23, -13), (10, 14), (10, 13)),  # descending aorta
    ("muscle", (-2, 6), (-31, -23), (5, 9), (4, 7)),  # gullet
    ("blood", (-8, -4), (-20, -17), (3, 4), (3, 4)),  # azygos vein
)
_ARCH = (
    ("blood", (8, 16), (-4, 0), (13, 18), (18, 30)),
    ("blood", (-22, -14), (-11, -5), (8, 10), (7, 11)),  # upper vena cava
    ("blood", (-5, 5), (-29, -23), (6, 9), (5, 7)),  # left brachiocephalic vein
)
_PULMONARY = (
    ("blood", (-10, -4), (-17, -11), (14, 19), (14, 18)),  # ascending aorta
    ("blood", (14, 24), (-13, -7), (13, 18), (14, 20)),  # pulmonary trunk
    ("blood", (-30, -24), (-3, 3), (8, 10), (9, 12)),  # upper vena cava
    ("blood", (30, 38), (5, 11), (12, 20), (8, 10)),  # its left
    ("blood", (-34, -22), (11, 17), (14, 22), (7, 9)),  # and right branch
)
_LOWER = (("blood", (-28, -20), (14, 24), (9, 11), (9, 13)),)  # lower vena cava
_CHAMBERS = ((0.38, 0.25, 0.36), (-0.1, -0.42, 0.36), (-0.55, 0.02, 0.33), (-0.2, 0.5, 0.3))


def draw_parts(rng: np.random.Generator, torso: Torso, level: float, scale: float) -> list[Part]:
    """Vessels, gullet and, in the lower half, the heart; what lies in front comes last.

    Args:
        rng: source of place and size.
        torso: where spine and sternum are.
        level: 0 at the arch of the aorta, 1 at the liver's dome.
        scale: of the patient.
    """
    x, y = torso.spine
    room = y - torso.front
    centre = y - room * rng.uniform(0.5, 0.58)
    front = _ARCH if level < 0.25 else _PULMONARY if level < 0.5 else _LOWER
    parts = []
    for rows, height in ((_BEHIND, y), (front, centre)):
        for tissue, across, down, wide, high in rows:
            spot = x + rng.uniform(*across), height + rng.uniform(*down)
            radii = scale * rng.uniform(*wide), scale * rng.uniform(*high)
            parts.append(Part(spot, radii, rng.uniform(-0.3, 0.3), tissue))
    if level >= 0.5:
        size = room * rng.uniform(0.30, 0.40)
        spot = x + size * rng.uniform(0.25, 0.5), torso.front + room * rng.uniform(0.40, 0.48)
        radii = size * rng.uniform(1.1, 1.3), size * rng.uniform(0.78, 0.95)
        parts.append(Part(spot, radii, rng.uniform(0.2, 0.7), "heart"))
    return parts


def outline(canvas: Canvas, rng: np.random.Generator, torso: Torso, parts: list[Part]) -> np.ndarray:
    """Signed distance in mm of all that keeps the lungs apart, spine included."""
    x, y = torso.spine
    # Half widths from the sternum to the spine, right and left.
    place = np.clip((canvas.y[:, :1] - torso.front) / (y - torso.front), 0, 1)
    knots, low, high = [0, 0.2, 0.4, 0.6, 0.8, 1], [1, 4, 10, 12, 9, 12], [8, 14, 28, 28, 22, 20]
    sides = [PchipInterpolator(knots, rng.uniform(low, high))(place) for _ in range(2)]
    middle = PchipInterpolator(knots, x + rng.normal(2, 4, 6))(place)
    strip = 0.85 * np.maximum(middle - canvas.x - sides[0], canvas.x - middle - sides[1])
    spine = ellipse_distance(
        canvas.x - x, canvas.y - y - 6, (torso.size + rng.uniform(4, 9), torso.size + 14)
    )
    whole = smooth_union(strip, spine, 25)
    for part in parts:
        radii = part.radii[0] + 3, part.radii[1] + 3
        polar = canvas.polar(*part.centre)
        one = oval(rng, radii, 2.0, 0.03, part.turn).distance(polar)
        whole = smooth_union(whole, one, 14)
    return whole


def paint_parts(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    torso: Torso,
    parts: list[Part],
    level: float,
) -> None:
    """Paint heart, vessels and airways over the fat; arguments as above."""
    for part in parts:
        if part.tissue == "heart":
            _paint_heart(canvas, palette, rng, part)
            continue
        canvas.ellipse(palette[part.tissue], part.centre, part.radii, part.turn)
        if part.tissue == "blood" and part.radii[0] > 9 and rng.random() < 0.15:  # a calcified wall
            theta = rng.uniform(0, 2 * np.pi)
            spot = _on_edge(part, theta, 1.0)
            canvas.ellipse(palette["cortical bone"], spot, (2.2, 1.0), theta + np.pi / 2)
    x, y = torso.spine
    airways = []
    if level < 0.35:
        airways = [(x + rng.normal(0, 4), rng.uniform(7, 10))]
    elif level < 0.5:
        airways = [(x + side * rng.uniform(14, 26), rng.uniform(5, 7.5)) for side in (-1, 1)]
    for at, radius in airways:
        spot, turn, wide = (at, y - rng.uniform(30, 40)), rng.uniform(-0.4, 0.4), rng.uniform(1.0, 1.5)
        canvas.ellipse(palette["muscle"], spot, (radius * wide + 1.6, radius + 1.6), turn)
        canvas.ellipse(plain(-985.0, 3.0), spot, (radius * wide, radius), turn)


def _on_edge(part: Part, theta: float, share: float) -> tuple[float, float]:
    """The point at an angle of the ellipse, at a share of its radius."""
    along = share * part.radii[0] * np.cos(theta)
    across = share * part.radii[1] * np.sin(theta)
    cos, sin = np.cos(part.turn), np.sin(part.turn)
    return (
        float(part.centre[0] + along * cos - across * sin),
        float(part.centre[1] + along * sin + across * cos),
    )


def _paint_heart(canvas: Canvas, palette: Palette, rng: np.random.Generator, heart: Part) -> None:
    """A muscle with four chambers, which show where contrast was given, and fat in its grooves."""
    shape = oval(rng, heart.radii, 2.1, 0.04, heart.turn).distance(canvas.polar(*heart.centre))
    whole = canvas.coverage(shape)
    canvas.paint(whole, palette["heart"])
    for along, across, size in _CHAMBERS:
        theta = np.arctan2(across, along) + rng.normal(0, 0.1)
        spot = _on_edge(heart, theta, float(np.hypot(along, across)))
        chamber = [radius * size * rng.uniform(0.9, 1.2) for radius in heart.radii]
        turn = heart.turn + rng.normal(0, 0.4)
        canvas.ellipse(palette["blood"], spot, (chamber[0], chamber[1]), turn, whole)
    for _ in range(rng.integers(0, 4)):
        theta = rng.uniform(0, 2 * np.pi)
        radii = rng.uniform(5, 12), rng.uniform(2, 4)
        spot = _on_edge(heart, theta, 0.85)
        canvas.ellipse(palette["fat"], spot, radii, theta + np.pi / 2, whole)
