"""A slice to paint on: shapes by their signed distance, edges by the share of a pixel that they cover.

Millimetres, x to the image's right (the patient's left), y down (to the back), 0 at the centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from fine_tune.tissues import Tissue
from resample_ct.values.network_grid import IMAGE_SIZE
from resample_ct.values.volume import AIR_HU

# Where contours know their radius.
ANGLES = np.linspace(-np.pi, np.pi, 360, endpoint=False)


@dataclass(frozen=True)
class Polar:
    """Distances and angles from a centre, (256, 256): many contours share them.

    Attributes:
        x: of the centre, in mm.
        y: of the same.
        rho: mm from the centre.
        theta: 0 to the right, pi / 2 down, in [-pi, pi].
    """

    x: float
    y: float
    rho: np.ndarray
    theta: np.ndarray


class Contour:
    """A closed curve about a centre, as the radius in mm at `ANGLES`."""

    def __init__(self, radii: np.ndarray) -> None:
        self.radii = radii
        slope = (np.roll(radii, -1) - np.roll(radii, 1)) / (2 * (ANGLES[1] - ANGLES[0]))
        # A radial offset over-states the distance where the curve runs askew.
        tilt = radii / np.hypot(radii, slope)
        # Fine tables, so that the nearest entry is near enough.
        fine = np.linspace(-np.pi, np.pi, 16 * len(radii) + 1)
        self._radii, self._tilt = (
            np.interp(fine, ANGLES, values, period=2 * np.pi).astype(np.float32)
            for values in (radii, tilt)
        )

    def _place(self, theta: np.ndarray) -> np.ndarray:
        return ((theta + np.pi) * ((len(self._radii) - 1) / (2 * np.pi))).astype(np.intp)

    def radius(self, theta: float) -> float:
        """Radius in mm at one angle."""
        return float(self._radii[self._place(np.array((theta + np.pi) % (2 * np.pi) - np.pi))])

    def distance(self, polar: Polar) -> np.ndarray:
        """Signed distance in mm, negative inside; first order in the distance."""
        place = self._place(polar.theta)
        return (polar.rho - self._radii.take(place, mode="clip")) * self._tilt.take(place, mode="clip")


class Canvas:
    """HU and the amplitude of texture of a slice that is being painted."""

    def __init__(self, spacing_mm: float) -> None:
        self.spacing_mm = spacing_mm
        axis = ((np.arange(IMAGE_SIZE) - (IMAGE_SIZE - 1) / 2) * spacing_mm).astype(np.float32)
        self.y, self.x = np.meshgrid(axis, axis, indexing="ij")
        self.hu = np.full(self.x.shape, AIR_HU, np.float32)
        self.texture = np.zeros(self.x.shape, np.float32)

    def polar(self, x: float, y: float) -> Polar:
        """The slice as seen from a centre."""
        across, down = self.x - x, self.y - y
        return Polar(x, y, np.hypot(across, down), np.arctan2(down, across))

    def coverage(self, distance: np.ndarray) -> np.ndarray:
        """Share of each pixel inside, 0 to 1, by signed distance in mm."""
        return np.clip(0.5 - distance / self.spacing_mm, 0.0, 1.0)

    def paint(self, share: np.ndarray, tissue: Tissue, where: tuple[slice, slice] | None = None) -> None:
        """Lay a tissue over what is there, by its share of each pixel."""
        area = where or (slice(None), slice(None))
        self.hu[area] += share * (tissue.hu - self.hu[area])
        self.texture[area] += share * (tissue.texture - self.texture[area])

    def window(self, x: float, y: float, reach: float) -> tuple[slice, slice]:
        """Rows and columns within `reach` mm of a point."""
        middle = (IMAGE_SIZE - 1) / 2
        bounds = []
        for at in (y, x):
            low = int(np.floor((at - reach) / self.spacing_mm + middle))
            high = int(np.ceil((at + reach) / self.spacing_mm + middle)) + 1
            bounds.append(slice(min(max(low, 0), IMAGE_SIZE), max(min(high, IMAGE_SIZE), 0)))
        return bounds[0], bounds[1]

    def ellipse(
        self,
        tissue: Tissue,
        centre: tuple[float, float],
        radii: tuple[float, float],
        angle: float = 0.0,
        clip: np.ndarray | None = None,
    ) -> None:
        """Paint a filled ellipse; `clip` holds it inside another shape's share of pixels."""
        area = self.window(*centre, max(radii) + 2 * self.spacing_mm)
        distance = ellipse_distance(self.x[area] - centre[0], self.y[area] - centre[1], radii, angle)
        share = self.coverage(distance)
        self.paint(share if clip is None else share * clip[area], tissue, area)

    def tube(
        self,
        tissue: Tissue,
        start: tuple[float, float],
        end: tuple[float, float],
        radius: float,
        clip: np.ndarray | None = None,
    ) -> None:
        """Paint a straight tube with round ends."""
        area, share = self.tube_share(start, end, radius)
        self.paint(share if clip is None else share * clip[area], tissue, area)

    def tube_share(
        self, start: tuple[float, float], end: tuple[float, float], radius: float
    ) -> tuple[tuple[slice, slice], np.ndarray]:
        """Window and share of pixels of a straight tube; one thinner than a pixel fills it in part."""
        centre = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        half = np.hypot(end[0] - start[0], end[1] - start[1]) / 2
        area = self.window(*centre, half + radius + 2 * self.spacing_mm)
        distance = segment_distance(self.x[area], self.y[area], start, end)
        seen = max(radius, self.spacing_mm / 2)
        return area, self.coverage(distance - seen) * (radius / seen)


def ellipse_distance(
    x: np.ndarray, y: np.ndarray, radii: tuple[float, float], angle: float = 0.0
) -> np.ndarray:
    """Signed distance to first order of an ellipse about 0, turned by `angle`."""
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = (x * cos + y * sin) / radii[0], (y * cos - x * sin) / radii[1]
    level = np.hypot(u, v)
    slope = np.hypot(u / radii[0], v / radii[1]) / np.maximum(level, 1e-6)
    return (level - 1.0) / np.maximum(slope, 1e-6)


def segment_distance(
    x: np.ndarray, y: np.ndarray, start: tuple[float, float], end: tuple[float, float]
) -> np.ndarray:
    """Distance in mm to a straight segment."""
    along = np.array(end) - np.array(start)
    share = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / max(float(along @ along), 1e-9)
    share = np.clip(share, 0.0, 1.0)
    return np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])


def smooth_union(first: np.ndarray, second: np.ndarray, reach: float) -> np.ndarray:
    """Distance of both shapes together, their corner filled over `reach` mm."""
    blend = np.maximum(reach - np.abs(first - second), 0.0) / reach
    return np.minimum(first, second) - blend * blend * (reach / 4)


def oval(
    rng: np.random.Generator,
    radii: tuple[float, float],
    power: float = 2.0,
    wobble: float = 0.03,
    angle: float = 0.0,
    orders: tuple[int, int] = (2, 7),
) -> Contour:
    """A superellipse with smooth random dents: organs (power 2), vertebrae (2.4).

    Args:
        rng: source of the dents.
        radii: across and down, in mm.
        power: 2 is an ellipse, more is squarer.
        wobble: standard deviation of the dents as a share of the radius.
        angle: by which it is turned.
        orders: range of the dents' number per turn.
    """
    turned = ANGLES - angle
    flat = np.abs(np.cos(turned) / radii[0]) ** power + np.abs(np.sin(turned) / radii[1]) ** power
    return Contour((flat ** (-1 / power) * (1 + wobble * ripple(rng, orders))).astype(np.float32))


def ripple(
    rng: np.random.Generator, orders: tuple[int, int] = (1, 6), lopsided: float = 1.0
) -> np.ndarray:
    """A smooth random function of `ANGLES`, of about unit standard deviation.

    Args:
        rng: source of the waves.
        orders: range of their number per turn; the more, the lower.
        lopsided: 0 is the same left and right, as bodies nearly are; 1 anything.
    """
    waves = np.zeros(len(ANGLES))
    power = 0.0
    for order in range(*orders):
        shift = lopsided * rng.uniform(-np.pi, np.pi)
        waves += rng.normal() / order * np.cos(order * (ANGLES - np.pi / 2) + shift)
        power += 0.5 / order**2
    return waves / np.sqrt(power)


def grain(rng: np.random.Generator, size_mm: float, spacing_mm: float) -> np.ndarray:
    """Correlated noise (256, 256) of unit standard deviation, grains of about `size_mm`."""
    sigma = size_mm / spacing_mm / 2
    # Coarse grains are drawn on a coarser grid, which is as good and much faster.
    factor = max(1, int(sigma / 2))
    side = -(-IMAGE_SIZE // factor) + 2
    field = ndimage.gaussian_filter(rng.standard_normal((side, side), np.float32), sigma / factor)
    if factor > 1:
        field = ndimage.zoom(field, factor, order=1)
    field = field[:IMAGE_SIZE, :IMAGE_SIZE]
    return field / max(float(field.std()), 1e-6)
