"""What the scanner adds: table and covers, its blur, its noise, its round field of view."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from fine_tune.anatomy.canvas import Canvas, grain
from fine_tune.anatomy.palette import plain


def paint_table(canvas: Canvas, rng: np.random.Generator, below: float) -> None:
    """A curved shell about foam under the patient, whose lowest point is at `below` mm."""
    top = below + rng.uniform(0, 10)
    wide = rng.uniform(150, 260)
    radius = rng.choice([rng.uniform(350, 600), 5000.0])
    middle = rng.normal(0, 8)
    sag = (canvas.x - middle) ** 2 / (2 * radius)
    aside = np.abs(canvas.x - middle) - wide
    thick = rng.uniform(18, 45)
    # A shell of two faces that meet at the edges.
    share = np.clip(1 - (np.abs(canvas.x - middle) / wide) ** rng.uniform(2, 8), 0, 1)
    upper = canvas.y - (top - sag)
    lower = canvas.y - (top - sag + 2 + thick * share)
    inside = np.maximum(np.maximum(-upper, lower), aside)
    in_air = (canvas.hu < -900).astype(np.float32)
    canvas.paint(in_air * canvas.coverage(inside), plain(float(rng.uniform(-985, -900)), 3.0))
    shell = rng.uniform(0.7, 1.8)
    for face in (upper, lower):
        line = np.maximum(np.abs(face) - shell, aside)
        canvas.paint(in_air * canvas.coverage(line), plain(float(rng.uniform(-650, 150)), 8.0))
    if rng.random() < 0.5:  # mattress
        pad = np.maximum(np.maximum(upper, -upper - rng.uniform(5, 12)), aside)
        canvas.paint(in_air * canvas.coverage(pad), plain(float(rng.uniform(-960, -880)), 5.0))


def paint_covers(canvas: Canvas, rng: np.random.Generator, skin: np.ndarray) -> None:
    """Gown and blanket: faint lines above the skin; electrodes now and then."""
    in_air = canvas.coverage(-skin + 1.0)
    for _ in range(rng.integers(0, 4)):
        gap = rng.uniform(2, 14) + 4 * np.abs(grain(rng, rng.uniform(40, 90), canvas.spacing_mm))
        line = np.abs(skin - gap) - rng.uniform(0.3, 0.9)
        above = canvas.y < rng.uniform(-20, 60)
        share = in_air * above * canvas.coverage(line) * rng.uniform(0.1, 0.4)
        canvas.paint(share, plain(-200.0))
    if rng.random() < 0.25:
        edge = np.argwhere((np.abs(skin - 2) < 1) & (canvas.y < 0))
        for row, column in edge[rng.integers(0, len(edge), rng.integers(1, 5))] if len(edge) else ():
            spot = float(canvas.x[row, column]), float(canvas.y[row, column])
            canvas.ellipse(plain(float(rng.uniform(200, 2500))), spot, (rng.uniform(1.5, 5), 1.2))


def scanned(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """HU (256, 256) as a scanner would show them: structure, blur, noise, field of view."""
    hu = canvas.hu + canvas.texture * grain(rng, rng.uniform(2.2, 4), canvas.spacing_mm)
    hu = ndimage.gaussian_filter(hu, rng.uniform(0.3, 0.75))
    if rng.random() < 0.3:  # a sharp kernel
        hu += rng.uniform(0.2, 1.4) * (hu - ndimage.gaussian_filter(hu, 1.0))
    amount = float(np.exp(rng.uniform(np.log(3.0), np.log(28.0))))
    noise = ndimage.gaussian_filter(rng.standard_normal(hu.shape, np.float32), rng.uniform(0.35, 0.75))
    if rng.random() < 0.2:  # streaks across the shoulders and hips
        streaks = ndimage.gaussian_filter(rng.standard_normal(hu.shape, np.float32), (0.5, 8))
        noise += rng.uniform(0.3, 0.8) * noise.std() / streaks.std() * streaks
    # The more the rays had to pass, the fewer arrive.
    load = ndimage.uniform_filter(np.clip(hu + 1000, 0, 1500), 61)
    noise *= (0.35 + load / 900) / noise.std()
    hu += amount * noise
    field = rng.random()
    if field < 0.75:
        radius = 128 * canvas.spacing_mm
        hu = np.where(np.hypot(canvas.x, canvas.y) > radius, -1000.0, hu)
    return hu.astype(np.float32)
