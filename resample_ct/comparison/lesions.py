"""Lesions of known place, size and contrast: which of them a reconstruction keeps, and which it invents.

A lesion is a Gaussian blob, contrast * 2^-(2 r / diameter)^2, whose diameter is its full width at half
maximum. It is added to the truth before projection. What a method made of it is the difference of two
reconstructions, with it and without it, from the same noise: everything else that the method gets wrong
cancels. What it invents is looked for in the reconstruction without lesions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy import ndimage

from resample_ct.comparison.tissues import body

DIAMETERS_MM = (6.0, 10.0, 15.0)
# HU above the tissue: a nodule of ground glass to a solid one, a cyst or metastasis to a calcification.
CONTRASTS_HU = {"lung": (100.0, 200.0, 400.0), "soft tissue": (-50.0, 50.0, 200.0)}
# A lesion that keeps half of its contrast has survived.
KEPT_SHARE = 0.5
# Twice the weakest contrast that is inserted; below it noise and streaks make blobs everywhere.
INVENTED_HU = 100.0
_APART_MM = 8.0
# Principal curvatures within a factor of three of each other: a blob, and not an edge or a streak.
_ROUNDNESS = 3.0
_WIDTH_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))


@dataclass(frozen=True)
class Lesion:
    """One blob; `row` and `column` of its centre in pixels, the rest in mm and HU."""

    tissue: str
    row: int
    column: int
    diameter_mm: float
    contrast_hu: float

    def profile(self, shape: tuple[int, int], pixel_mm: float) -> np.ndarray:
        """Its shape (row, column), 1 at its centre."""
        rows, columns = np.indices(shape)
        square = ((rows - self.row) ** 2 + (columns - self.column) ** 2) * pixel_mm**2
        return np.exp2(-square / (self.diameter_mm / 2) ** 2)

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def place_lesions(hu: np.ndarray, pixel_mm: float, seed: int, index: int) -> list[Lesion]:
    """One lesion of each diameter in lung and in soft tissue, wherever there is room for it.

    Contrasts take turns from slice to slice, so that over the slices each diameter meets each of them.

    Args:
        hu: (row, column) of the truth.
        pixel_mm: side of a pixel.
        seed: of the places.
        index: the slice's place in its study.
    """
    rng = np.random.default_rng((seed, index))
    smooth = ndimage.gaussian_filter(hu, 1.0)
    inside = ndimage.binary_erosion(body(hu), iterations=max(1, round(5 / pixel_mm)))
    ranges = {"lung": (-980.0, -600.0), "soft tissue": (0.0, 120.0)}
    rows, columns = np.indices(hu.shape)
    taken = np.zeros(hu.shape, bool)
    found = []
    # The largest first: they have the fewest places.
    for order, (diameter, name) in enumerate(product(sorted(DIAMETERS_MM, reverse=True), ranges)):
        low, high = ranges[name]
        room = ndimage.distance_transform_edt(inside & (smooth > low) & (smooth < high)) * pixel_mm
        clear = ndimage.distance_transform_edt(~taken) * pixel_mm
        places = np.argwhere((room >= diameter / 2) & (clear >= diameter / 2 + _APART_MM))
        if len(places) == 0:
            continue
        row, column = places[rng.integers(len(places))]
        contrasts = CONTRASTS_HU[name]
        contrast = contrasts[(index + order // 2) % len(contrasts)]
        found.append(Lesion(name, int(row), int(column), diameter, contrast))
        taken |= np.hypot(rows - row, columns - column) * pixel_mm <= diameter / 2
    return found


def insert(hu: np.ndarray, lesions: Sequence[Lesion], pixel_mm: float) -> np.ndarray:
    """The slice (row, column) in HU with the lesions in it."""
    added = [lesion.contrast_hu * lesion.profile(hu.shape, pixel_mm) for lesion in lesions]
    return hu + np.sum(added, axis=0) if added else hu


def kept_share(
    with_lesions: np.ndarray, without: np.ndarray, lesions: Sequence[Lesion], pixel_mm: float
) -> list[float]:
    """The share of each lesion's contrast that the difference of two reconstructions in HU holds.

    The amplitude of the lesion's own profile that fits best, over its contrast: 1 is perfect, 0 is lost.
    """
    difference = with_lesions - without
    shares = []
    for lesion in lesions:
        profile = lesion.profile(difference.shape, pixel_mm)
        amplitude = float((difference * profile).sum() / (profile * profile).sum())
        shares.append(amplitude / lesion.contrast_hu)
    return shares


def invented(image_hu: np.ndarray, truth_hu: np.ndarray, inside: np.ndarray, pixel_mm: float) -> int:
    """How many blobs as large as a lesion a reconstruction (row, column) holds that the truth does not.

    A blob is an extreme, in place and size, of the scale-normalised Laplacian of Gaussian at the lesions'
    sizes (Lindeberg 1998). On a Gaussian blob of contrast c, the Laplacian at its own scale sigma is
    -c / (2 sigma^2), which gives the contrast. An offset or a slope has none; edges and streaks are told
    by their curvatures. It counts where reconstruction minus truth has one beyond `INVENTED_HU`, the
    reconstruction has it too, and the truth less than half of it: a vessel that was lost, or drawn too
    dark, was not invented.

    Args:
        image_hu: without lesions.
        truth_hu: what it should be.
        inside: where to look.
        pixel_mm: side of a pixel.
    """
    sigmas = [diameter / pixel_mm / _WIDTH_PER_SIGMA for diameter in DIAMETERS_MM]
    error = np.where(inside, image_hu - truth_hu, 0.0).astype(np.float64)
    wrong, is_round = map(np.stack, zip(*(_contrast_at(error, sigma) for sigma in sigmas), strict=True))
    there = np.stack([_contrast_at(truth_hu.astype(np.float64), sigma)[0] for sigma in sigmas])
    strength, sign = np.abs(wrong), np.sign(wrong)
    extreme = strength == ndimage.maximum_filter(strength, size=(3, 3, 3))
    new = (sign * (wrong + there) >= INVENTED_HU) & (sign * there < strength)
    found = np.argwhere(extreme & is_round & new & inside & (strength >= INVENTED_HU))
    counted: list[np.ndarray] = []
    for place in sorted(found, key=lambda place: -strength[tuple(place)]):
        radius = sigmas[place[0]] * _WIDTH_PER_SIGMA
        if all(np.hypot(*(place[1:] - other[1:])) > radius for other in counted):
            counted.append(place)
    return len(counted)


def _contrast_at(image: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """The contrast of a blob of this scale at each pixel, and whether it is round there."""
    rr = ndimage.gaussian_filter(image, sigma, order=(2, 0))
    cc = ndimage.gaussian_filter(image, sigma, order=(0, 2))
    rc = ndimage.gaussian_filter(image, sigma, order=(1, 1))
    trace, determinant = rr + cc, rr * cc - rc**2
    limit = (_ROUNDNESS + 1) ** 2 / _ROUNDNESS
    return -2 * sigma**2 * trace, (determinant > 0) & (trace**2 < limit * determinant)
