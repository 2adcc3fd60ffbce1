"""A slice through the abdomen: liver, spleen, kidneys and bowel; further down bowel and pelvis."""

from __future__ import annotations

import numpy as np

from fine_tune.anatomy.canvas import Canvas, grain, oval, smooth_union
from fine_tune.anatomy.palette import Palette, plain
from fine_tune.anatomy.skeleton import paint_bone, paint_flat_bone, paint_ribs, paint_vertebra
from fine_tune.anatomy.torso import Torso, paint_arms, paint_back_muscles, paint_torso


def paint_abdomen(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, scale: float, fat: float
) -> np.ndarray:
    """Paint an abdomen and return the skin's signed distance.

    Its level is drawn too, from the liver (0) to the hips (1).
    """
    torso = paint_torso(canvas, palette, rng, chest=False, scale=scale, fat=fat)
    level = float(rng.uniform(0, 1))
    x, y = torso.spine
    inside = canvas.coverage(torso.cavity)
    canvas.paint(inside, palette["fat"])
    canvas.hu += inside * rng.uniform(2, 8) * grain(rng, rng.uniform(3, 8), canvas.spacing_mm)
    if level < 0.6:
        _paint_upper_organs(canvas, palette, rng, torso, inside, level)
    _paint_bowel(canvas, palette, rng, torso, inside, level)
    _paint_psoas(canvas, palette, rng, torso, level)
    _paint_trunks(canvas, palette, rng, torso, level)
    paint_back_muscles(canvas, palette, rng, torso)
    if level > 0.75:
        _paint_pelvis(canvas, palette, rng, torso, level)
    else:
        paint_vertebra(canvas, palette, rng, x, y, torso.size, torso.back)
    if level < 0.4:
        paint_ribs(canvas, palette, rng, torso.cavity_contour, torso.polar, torso.cavity)
    if rng.random() < 0.15:
        paint_arms(canvas, palette, rng, torso)
    return torso.skin


def _paint_psoas(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, torso: Torso, level: float
) -> None:
    x, y = torso.spine
    radius = 6 + 16 * level * rng.uniform(0.7, 1.2)
    for side in (-1, 1):
        centre = x + side * (torso.size + radius * 0.8), y + rng.uniform(-2, 6)
        shape = oval(rng, (radius, radius * rng.uniform(1.0, 1.5)), 2.0, 0.05)
        canvas.paint(canvas.coverage(shape.distance(canvas.polar(*centre))), palette["muscle"])


def _paint_trunks(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, torso: Torso, level: float
) -> None:
    """Aorta and vena cava in front of the spine, or the iliac vessels that they become."""
    x, y = torso.spine
    front = y - torso.size
    if level < 0.7:
        size = rng.uniform(8, 12)
        canvas.ellipse(palette["blood"], (x + rng.uniform(4, 12), front - size), (size, size))
        flat = rng.uniform(7, 12)
        canvas.ellipse(
            palette["blood"], (x - rng.uniform(14, 22), front - flat), (rng.uniform(9, 14), flat)
        )
        if rng.random() < 0.3:
            canvas.ellipse(palette["cortical bone"], (x + 8 + size, front - size), (1.2, 3.0))
        return
    for side in (-1, 1):
        for _ in range(2):
            spot = x + side * rng.uniform(25, 50), front - rng.uniform(5, 35)
            canvas.ellipse(
                palette["blood"], spot, (rng.uniform(4, 8), rng.uniform(4, 7)), rng.uniform(0, 3)
            )


def _paint_upper_organs(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    torso: Torso,
    inside: np.ndarray,
    level: float,
) -> None:
    """Liver, spleen, stomach and kidneys, in that order, each over the last."""
    middle, height = torso.polar.x, torso.polar.y
    across = torso.cavity_contour.radius(0.0)
    deep = torso.spine[1] + 25 - torso.front
    near = canvas.coverage(torso.cavity + rng.uniform(0.5, 3))  # organs lie against the wall
    size = max(0.25, 1 - level * 1.1)
    right = (middle - across * rng.uniform(0.42, 0.55), height + rng.uniform(-10, 10))
    liver = oval(rng, (across * 0.58 * size**0.5, deep * 0.72 * size**0.3), 2.1, 0.05, 0.25)
    shape = liver.distance(canvas.polar(*right))
    if level < 0.3:
        lobe = oval(
            rng, (across * rng.uniform(0.45, 0.65), deep * 0.3), 2.0, 0.06, rng.uniform(-0.1, 0.3)
        )
        left = middle - across * 0.05, height - deep * rng.uniform(0.2, 0.3)
        shape = smooth_union(shape, lobe.distance(canvas.polar(*left)), 25)
    organ = near * canvas.coverage(shape)
    canvas.paint(organ, palette["liver"])
    _paint_liver_vessels(canvas, palette, rng, organ, right, across)
    if rng.random() < 0.4 and level > 0.1:  # gall bladder
        spot = right[0] + across * 0.35, height - deep * rng.uniform(0.05, 0.3)
        canvas.ellipse(
            palette["fluid"], spot, (rng.uniform(8, 16), rng.uniform(12, 24)), rng.uniform(-0.6, 0.6)
        )
    if level < 0.45:
        spleen = oval(
            rng, (across * rng.uniform(0.16, 0.26), deep * rng.uniform(0.3, 0.45)), 2.0, 0.06, 0.35
        )
        at = middle + across * rng.uniform(0.68, 0.8), height + deep * rng.uniform(0.12, 0.25)
        canvas.paint(near * canvas.coverage(spleen.distance(canvas.polar(*at))), palette["spleen"])
        _paint_stomach(
            canvas, palette, rng, near, (middle + across * rng.uniform(0.3, 0.5), height - deep * 0.2)
        )
    if level > 0.12:
        for side in (-1, 1):
            if rng.random() < 0.9:
                spot = (
                    torso.spine[0] + side * (torso.size + rng.uniform(32, 42)),
                    torso.spine[1] + rng.uniform(-8, 14),
                )
                _paint_kidney(canvas, palette, rng, side, spot)


def _paint_liver_vessels(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    organ: np.ndarray,
    centre: tuple[float, float],
    across: float,
) -> None:
    """Branches towards the middle: denser with contrast, a little darker without."""
    vessel = palette["blood"] if palette.enhanced else palette.shifted("liver", -10)
    for _ in range(rng.integers(3, 9)):
        place = np.array(centre) + rng.normal(0, across * 0.25, 2)
        heading, radius = rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 4)
        for _ in range(rng.integers(1, 5)):
            end = place + rng.uniform(6, 16) * np.array([np.cos(heading), np.sin(heading)])
            canvas.tube(vessel, tuple(place), tuple(end), radius, organ)
            place, heading, radius = end, heading + rng.normal(0, 0.4), radius * 0.8
    for _ in range(rng.poisson(0.4)):  # cysts and metastases
        size = rng.gamma(2, 4)
        spot = tuple(np.array(centre) + rng.normal(0, across * 0.25, 2))
        lesion = palette["fluid"] if rng.random() < 0.5 else palette.shifted("liver", -30)
        canvas.ellipse(lesion, spot, (size, size * rng.uniform(0.7, 1)), rng.uniform(0, 3), organ)


def _paint_kidney(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, side: int, centre: tuple[float, float]
) -> None:
    """A bean in fat, its sinus open towards the spine."""
    radii = rng.uniform(20, 27), rng.uniform(24, 32)
    turn = side * rng.uniform(0.1, 0.6)
    polar = canvas.polar(*centre)
    bean = oval(rng, radii, 2.1, 0.04, turn)
    shape = bean.distance(polar)
    canvas.paint(canvas.coverage(shape - rng.uniform(2, 6)), palette["fat"])
    canvas.paint(canvas.coverage(shape), palette["kidney"])
    if palette.enhanced:  # the cortex takes more
        canvas.paint(
            canvas.coverage(np.abs(shape + 4) - 4), palette.shifted("kidney", rng.uniform(0, 60))
        )
    if rng.random() < 0.75:
        spot = centre[0] - side * radii[0] * rng.uniform(0.45, 0.8), centre[1] - rng.uniform(-3, 6)
        canvas.ellipse(palette["fat"], spot, (radii[0] * 0.55, rng.uniform(5, 9)), turn)
        canvas.ellipse(palette["blood"], spot, (radii[0] * 0.5, rng.uniform(1.5, 3)), turn)


def _paint_stomach(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    clip: np.ndarray,
    centre: tuple[float, float],
) -> None:
    shape = oval(rng, (rng.uniform(25, 45), rng.uniform(20, 38)), 2.0, 0.08, rng.uniform(-0.5, 0.5))
    _paint_hollow(
        canvas, palette, rng, clip, shape.distance(canvas.polar(*centre)), centre[1], rng.uniform(-15, 20)
    )


def _paint_hollow(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    clip: np.ndarray,
    distance: np.ndarray,
    y: float,
    level: float,
) -> None:
    """A wall about fluid or food, with gas above a straight level, so far below the centre at `y`."""
    canvas.paint(clip * canvas.coverage(distance), palette["bowel wall"])
    lumen = clip * canvas.coverage(distance + rng.uniform(2, 4))
    bright = palette.enhanced and rng.random() < 0.15  # contrast by mouth
    content = plain(float(rng.uniform(150, 350)), 10) if bright else plain(float(rng.uniform(0, 45)), 12)
    canvas.paint(lumen, content)
    canvas.paint(lumen * canvas.coverage(canvas.y - (y + level)), plain(-980.0, 4))


def _paint_bowel(
    canvas: Canvas,
    palette: Palette,
    rng: np.random.Generator,
    torso: Torso,
    inside: np.ndarray,
    level: float,
) -> None:
    """Loops of small bowel in the middle, colon with gas and faeces along the flanks; vessels between."""
    middle, height = torso.polar.x, torso.polar.y
    across = torso.cavity_contour.radius(0.0)
    deep = torso.spine[1] - torso.size - torso.front
    room = inside
    if level < 0.6:  # not through liver and spleen
        room = room * (np.abs(canvas.hu - palette["fat"].hu) < 90)
    for _ in range(rng.integers(25, 70)):  # vessels of the mesentery
        spot = middle + rng.normal(0, across * 0.4), height - deep * rng.uniform(-0.2, 0.45)
        heading, length = rng.uniform(0, np.pi), rng.gamma(1.2, 5)
        end = spot[0] + length * np.cos(heading), spot[1] + length * np.sin(heading)
        canvas.tube(palette["blood"], spot, end, rng.uniform(0.5, 2.2), room)
    loops = rng.integers(6, 14) + int(30 * level * rng.uniform(0.4, 1))
    for _ in range(loops):
        centre = middle + rng.uniform(-0.6, 0.6) * across, torso.front + rng.uniform(0.1, 0.72) * deep
        radii = rng.uniform(8, 15), rng.uniform(8, 24)
        shape = oval(rng, radii, 2.0, 0.12, rng.uniform(0, 3)).distance(canvas.polar(*centre))
        empty = rng.random() < 0.8
        _paint_hollow(canvas, palette, rng, room, shape, centre[1], -99 if empty else rng.uniform(-6, 8))
    for side in (-1, 1):
        if rng.random() < 0.25:
            continue
        centre = middle + side * across * rng.uniform(0.7, 0.82), height + rng.uniform(-0.25, 0.2) * deep
        radii = rng.uniform(14, 26), rng.uniform(14, 28)
        shape = oval(rng, radii, 2.0, 0.14, 0.0, (3, 8)).distance(canvas.polar(*centre))
        gas = rng.choice([-99.0, rng.uniform(-10, 15), 99.0], p=[0.3, 0.4, 0.3])
        _paint_hollow(canvas, palette, rng, room, shape, centre[1], gas)
        if gas < 0:  # faeces hold bubbles
            crumbs = np.clip(grain(rng, 5, canvas.spacing_mm) - rng.uniform(0.8, 1.5), 0, 1)
            canvas.paint(room * canvas.coverage(shape + 4) * crumbs, plain(-850.0))
    if rng.random() < 0.6:  # transverse colon
        y = torso.front + rng.uniform(22, 45)
        for x in np.arange(middle - across * 0.5, middle + across * 0.5, 26):
            part = oval(rng, (rng.uniform(13, 19), rng.uniform(9, 16)), 2.0, 0.1)
            at = float(x), y + float(rng.normal(0, 4))
            _paint_hollow(
                canvas, palette, rng, room, part.distance(canvas.polar(*at)), at[1], rng.uniform(-8, 14)
            )


def _paint_pelvis(
    canvas: Canvas, palette: Palette, rng: np.random.Generator, torso: Torso, level: float
) -> None:
    """Iliac wings and sacrum; lower down hip joints and bladder."""
    x, y = torso.spine
    across = torso.cavity_contour.radius(0.0)
    low = level > 0.88
    within = canvas.coverage(torso.wall)
    sacrum = oval(rng, (rng.uniform(30, 45) * (0.6 if low else 1), rng.uniform(16, 24)), 2.2, 0.08)
    everywhere = (slice(None), slice(None))
    paint_bone(
        canvas, palette, sacrum.distance(canvas.polar(x, y + 8)), rng.uniform(0.8, 1.4), everywhere
    )
    for side in (-1, 1):
        if not low:
            points = [
                (x + side * 48, y + 16),
                (x + side * across * 0.72, y - rng.uniform(12, 24)),
                (x + side * across * rng.uniform(0.85, 0.95), y - rng.uniform(50, 80)),
            ]
            muscle = oval(rng, (34, 20), 2.0, 0.05, side * 0.7)
            at = x + side * across * 0.78, y + 12
            canvas.paint(within * canvas.coverage(muscle.distance(canvas.polar(*at))), palette["muscle"])
            paint_flat_bone(canvas, palette, rng, points, rng.uniform(4, 7))
            continue
        centre = x + side * across * rng.uniform(0.66, 0.74), torso.polar.y + rng.uniform(-5, 15)
        muscle = oval(rng, (44, 50), 2.2, 0.05)
        canvas.paint(within * canvas.coverage(muscle.distance(canvas.polar(*centre))), palette["muscle"])
        ring = oval(rng, (34, 36), 2.2, 0.06).distance(canvas.polar(*centre))
        opening = (side * (canvas.x - centre[0]) - rng.uniform(-4, 8)) * 0.9
        socket = np.maximum(ring, opening)
        paint_bone(canvas, palette, socket, 1.5, everywhere)
        head = oval(rng, (25, 25), 2.0, 0.02).distance(canvas.polar(*centre))
        canvas.paint(canvas.coverage(head - 3), palette["cartilage"])
        paint_bone(canvas, palette, head, 1.3, everywhere)
    if low or rng.random() < 0.3:
        bladder = oval(rng, (rng.uniform(25, 45), rng.uniform(20, 38)), 2.3, 0.05)
        shape = bladder.distance(canvas.polar(x, torso.polar.y - rng.uniform(5, 25)))
        canvas.paint(canvas.coverage(shape), palette["muscle"])
        canvas.paint(canvas.coverage(shape + 3), palette["fluid"])
