"""The inside of the lungs: parenchyma, branching vessels and bronchi, and what disease leaves there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fine_tune.anatomy.canvas import Canvas, grain, oval
from fine_tune.anatomy.palette import Palette, plain


@dataclass(frozen=True)
class Branches:
    """Straight pieces of a tree: starts and ends (N, 3) in mm, z = 0 in the slice; radii (N,) in mm."""

    start: np.ndarray
    end: np.ndarray
    radius: np.ndarray

    def shifted(self, by: np.ndarray, shrink: float, thickest: float) -> Branches:
        """The thicker pieces beside themselves: bronchi run along with arteries."""
        chosen = self.radius > thickest
        return Branches(self.start[chosen] + by, self.end[chosen] + by, self.radius[chosen] * shrink)


def _directions(rng: np.random.Generator, around: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Unit vectors about others, off by about `spread` radians."""
    found = around + np.tan(spread)[:, None] * rng.standard_normal(around.shape) * 0.7
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def grow_tree(
    rng: np.random.Generator, root: np.ndarray, outwards: np.ndarray, radius: float, reach: float
) -> Branches:
    """A tree that forks in two, each fork thinner by Murray's law, until its twigs are 0.3 mm thin.

    Args:
        rng: source of the forks.
        root: (3,) where it begins.
        outwards: (3,) unit vector of its trunk.
        radius: of the trunk in mm.
        reach: length in mm from the root to the twigs.
    """
    trunks = rng.integers(6, 10)
    spread = np.full(trunks, 0.9)
    heading = _directions(rng, np.repeat(outwards[None], trunks, 0), spread)
    place = np.repeat(root[None], trunks, 0).astype(float)
    size = radius * rng.uniform(0.5, 1.0, trunks)
    parts = []
    while len(place) and size.max() > 0.3:
        # As long as to bring the thinnest to the pleura after about nine forks.
        length = reach * (0.07 + 0.03 * size) * rng.uniform(0.6, 1.4, len(place))
        for _ in range(2):  # two bends a piece
            end = place + heading * length[:, None] / 2
            parts.append((place, end, size))
            place, heading = end, _directions(rng, heading, np.full(len(place), 0.22))
            size = size * 0.97
        first = rng.uniform(0.80, 0.95, len(place))
        second = np.cbrt(np.maximum(1 - first**3, 0.02))
        place = np.repeat(place, 2, 0)
        size = np.stack([size * first, size * second], 1).ravel()
        fork = np.stack([0.55 * (1.05 - first), 0.75 * (1.15 - second)], 1).ravel() + 0.15
        heading = _directions(rng, np.repeat(heading, 2, 0), fork)
        kept = (size > 0.3) & (np.linalg.norm(place - root, axis=1) < reach)
        # What the slice will never meet is not grown on.
        kept &= np.abs(place[:, 2]) < 70
        place, size, heading = place[kept], size[kept], heading[kept]
    return Branches(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _in_slab(branches: Branches, thickness_mm: float) -> Branches:
    """The pieces' parts within the slice."""
    half = thickness_mm / 2
    low, high = branches.start[:, 2], branches.end[:, 2]
    reach = half + 0.3 * branches.radius
    meets = (np.minimum(low, high) < reach) & (np.maximum(low, high) > -reach)
    start, end, radius, reach = (a[meets] for a in (branches.start, branches.end, branches.radius, reach))
    rise = end[:, 2] - start[:, 2]
    rise = np.where(np.abs(rise) < 1e-6, 1e-6, rise)
    shares = np.stack([(-reach - start[:, 2]) / rise, (reach - start[:, 2]) / rise], 1)
    near, far = np.clip(shares.min(1), 0, 1)[:, None], np.clip(shares.max(1), 0, 1)[:, None]
    along = end - start
    return Branches(start + near * along, start + far * along, radius)


def tree_share(canvas: Canvas, branches: Branches, thickness_mm: float) -> np.ndarray:
    """Share of each pixel's column through the slice that a tree fills, (256, 256)."""
    share = np.zeros_like(canvas.hu)
    cut = _in_slab(branches, thickness_mm)
    for start, end, radius in zip(cut.start, cut.end, cut.radius, strict=True):
        along = end - start
        length = float(np.linalg.norm(along))
        slope = np.hypot(along[0], along[1]) / length if length > 0 else 0.0
        filled = min(1.0, 2 * radius / max(slope, 1e-3) / thickness_mm)
        area, covered = canvas.tube_share(tuple(start[:2]), tuple(end[:2]), radius)
        np.maximum(share[area], covered * filled, out=share[area])
    return share


def paint_parenchyma(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, lung: np.ndarray, distance: np.ndarray
) -> None:
    """Air and tissue, denser towards the back, with a thin pleura."""
    canvas.paint(canvas.coverage(distance - 1.0), palette["muscle"])
    canvas.paint(lung, palette["lung"])
    slope = rng.uniform(0.0, 0.7)
    cloud = rng.uniform(4, 22) * grain(rng, rng.uniform(15, 45), canvas.spacing_mm)
    fine = rng.uniform(8, 22) * grain(rng, rng.uniform(2.5, 5), canvas.spacing_mm)
    canvas.hu += lung * (slope * canvas.y + cloud + fine)


def paint_tree(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    lung: np.ndarray,
    root: tuple[float, float],
    side: int,
    reach: float,
    thickness_mm: float,
) -> None:
    """Vessels and bronchi of one lung, from its hilum outwards."""
    origin = np.array([root[0], root[1], rng.uniform(-35, 35)])
    outwards = np.array([side, rng.uniform(-0.2, 0.4), -origin[2] / 60])
    outwards /= np.linalg.norm(outwards)
    arteries = grow_tree(rng, origin, outwards, rng.uniform(4.5, 6.5), reach)
    veins = grow_tree(rng, origin + rng.normal(0, 8, 3), outwards, rng.uniform(3.5, 5.5), reach)
    for tree in (arteries, veins):
        canvas.paint(lung * tree_share(canvas, tree, thickness_mm), palette["blood"])
    beside = np.array([rng.choice([-1, 1]) * 4.0, rng.uniform(-4, 4), 0.0])
    airway = arteries.shifted(beside, 0.8, 1.3)
    lumen = Branches(airway.start, airway.end, airway.radius - rng.uniform(0.5, 0.9))
    canvas.paint(0.7 * lung * tree_share(canvas, airway, thickness_mm), palette.shifted("muscle", -60))
    canvas.paint(lung * tree_share(canvas, lumen, thickness_mm), plain(-960.0))


def paint_fissure(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, lung: np.ndarray, x: float, y: float
) -> None:
    """A faint bent line across the lung."""
    radius = rng.uniform(80, 250)
    angle = rng.uniform(-0.9, 0.9)
    centre = x + radius * np.sin(angle), y + radius * np.cos(angle) * rng.choice([-1, 1])
    line = np.abs(np.hypot(canvas.x - centre[0], canvas.y - centre[1]) - radius) - 0.4
    canvas.paint(lung * canvas.coverage(line) * rng.uniform(0.05, 0.25), palette["muscle"])


def paint_disease(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, lung: np.ndarray, distance: np.ndarray
) -> None:
    """Ground glass and consolidation, nodules, emphysema, fluid behind."""
    spots = np.argwhere(lung > 0.99)
    if not len(spots):
        return
    kind = rng.choice(["ground glass", "nodules", "emphysema", "fluid"])
    if kind == "nodules":
        for row, column in spots[rng.integers(0, len(spots), rng.integers(1, 6))]:
            radius = rng.gamma(2.5, 2.2)
            centre = float(canvas.x[row, column]), float(canvas.y[row, column])
            canvas.ellipse(
                palette["heart"], centre, (radius, radius * rng.uniform(0.7, 1)), rng.uniform(0, 3), lung
            )
        return
    if kind == "fluid":
        floor = np.quantile(canvas.y[lung > 0.5], rng.uniform(0.6, 0.95))
        level = floor + rng.uniform(0.0, 0.25) * np.abs(canvas.x) - canvas.y
        canvas.paint(lung * canvas.coverage(level), palette["fluid"])
        return
    patches = np.full(canvas.hu.shape, np.inf, np.float32)
    for row, column in spots[rng.integers(0, len(spots), rng.integers(1, 6))]:
        polar = canvas.polar(float(canvas.x[row, column]), float(canvas.y[row, column]))
        size = rng.uniform(8, 40)
        patches = np.minimum(
            patches, oval(rng, (size, size * 0.7), 2.0, 0.2, rng.uniform(0, 3)).distance(polar)
        )
    ragged = patches + 6 * grain(rng, 7, canvas.spacing_mm)
    share = lung * np.clip(0.5 - ragged / rng.uniform(4, 14), 0, 1)
    if kind == "emphysema":
        canvas.paint(share * rng.uniform(0.3, 0.8), plain(-970.0, 5.0))
    else:
        mottle = np.clip(0.7 + 0.35 * grain(rng, 5, canvas.spacing_mm), 0, 1)
        canvas.paint(share * mottle * rng.choice([0.3, 0.5, 1.0]), palette.shifted("heart", -10))
