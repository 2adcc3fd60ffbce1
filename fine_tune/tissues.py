"""HU of the tissues that anatomy is drawn with, and how they were measured.

`TISSUES` is what `measure_tissues` gave on the 136 training slices of five patients (256 x 256; kernels
B, L and STANDARD, some with contrast), rounded to 1 HU. The masks are made by HU and place, not by hand:
a rib's end among the muscle, a vessel in the lung stay in. Cortical bone is thinner than a pixel, so 706
HU is what is left of it; it is drawn denser and loses as much to its neighbours. Texture is noise and
structure together and follows the kernel: soft tissue 7 to 13 HU in B, 10 to 19 in STANDARD, 19 to 32 in
L.

What these slices do not show, or only beside something else, is from textbooks: `ASSUMED`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

_BODY_HU = -500.0


@dataclass(frozen=True)
class Tissue:
    """HU of a tissue: mean, standard deviation between slices, and of the texture inside one."""

    hu: float
    spread: float
    texture: float


TISSUES = {
    "lung": Tissue(-837, 25, 49),
    "fat": Tissue(-101, 5, 15),
    "muscle": Tissue(38, 6, 21),
    "heart": Tissue(41, 8, 13),
    "liver": Tissue(49, 6, 22),
    "cancellous bone": Tissue(242, 39, 96),
    "cortical bone": Tissue(706, 81, 152),
}

ASSUMED = {
    "enhanced blood": Tissue(220, 80, 15),
    "spleen": Tissue(48, 6, 15),
    "kidney": Tissue(34, 6, 15),
    "bowel wall": Tissue(40, 8, 15),
    "fluid": Tissue(8, 6, 12),
    "brain": Tissue(34, 4, 5),
    "cerebrospinal fluid": Tissue(6, 3, 5),
    "cartilage": Tissue(110, 20, 20),
}


def _largest(mask: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    return labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))


def _within(hu: np.ndarray, low: float, high: float, mask: np.ndarray, margin: int) -> np.ndarray:
    """Pixels in a HU range, `margin` pixels away from anything else: no partial volume."""
    smooth = ndimage.gaussian_filter(hu, 1.0)
    return ndimage.binary_erosion((smooth > low) & (smooth < high) & mask, iterations=margin)


def _opened(mask: np.ndarray, radius_mm: float, spacing_mm: float) -> np.ndarray:
    return ndimage.binary_opening(mask, iterations=max(1, round(radius_mm / spacing_mm)))


def regions(hu: np.ndarray, spacing_mm: float) -> Iterator[tuple[str, np.ndarray]]:
    """Masks of the tissues that can be told apart in an axial chest or abdomen slice.

    Lung, fat and cortical bone by their HU; the rest by where it lies about the spine, the largest bone
    of the body's back half: cancellous bone within it, muscle beside and behind it, large soft regions in
    front of it. The largest is the heart between two lungs, and the liver on the patient's right where
    there is little lung.

    Args:
        hu: (row, column) of one slice, patient supine, head first.
        spacing_mm: of its pixels.
    """
    body = ndimage.binary_fill_holes(_largest(_opened(hu > _BODY_HU, 4, spacing_mm)))
    inner = ndimage.binary_erosion(body, iterations=max(1, round(8 / spacing_mm)))
    lung = _within(hu, -970, -600, inner, 2)
    yield "lung", lung
    yield "fat", _within(hu, -150, -60, inner, 2)
    yield "cortical bone", (hu > 500) & inner
    rows, columns = np.indices(hu.shape)
    bone = ndimage.binary_closing(hu > 200, iterations=2) & inner
    behind = bone & (rows > ndimage.center_of_mass(body)[0]) if body.any() else bone
    spine = _largest(_opened(behind, 3, spacing_mm))
    if not spine.any():
        return
    row, column = ndimage.center_of_mass(spine)
    below, beside = (rows - row) * spacing_mm, np.abs(columns - column) * spacing_mm
    vertebra = (np.abs(below) < 20) & (beside < 18)
    yield "cancellous bone", _within(hu, 80, 450, inner & vertebra, 2)
    back = (below > 0) & (below < 60) & (beside > 12) & (beside < 55)
    yield "muscle", _within(hu, 0, 120, inner & back & ~bone, 2)
    front = inner & (below < -12)
    opened = _opened(_within(hu, 0, 120, front, 2), 10, spacing_mm)
    lungs = lung.sum() / body.sum()
    if lungs > 0.12:
        ends = np.flatnonzero(lung.any(0))
        yield "heart", _largest(opened & (columns > ends[0]) & (columns < ends[-1]))
    elif lungs < 0.03:
        yield "liver", _largest(opened & (columns < column))


def measure_tissues(slices: Iterable[tuple[np.ndarray, float]]) -> dict[str, Tissue]:
    """Mean, spread between slices and texture of every tissue found.

    Args:
        slices: pairs of HU (row, column) and pixel spacing in mm.

    Texture is the standard deviation inside a region after its slow part, a Gaussian of 4 pixels over
    the region alone, has been taken off. Regions under 150 mm2 are passed over.
    """
    means: dict[str, list[float]] = {}
    textures: dict[str, list[float]] = {}
    for hu, spacing_mm in slices:
        for name, mask in regions(hu, spacing_mm):
            if mask.sum() * spacing_mm**2 < 150:
                continue
            weight = ndimage.gaussian_filter(mask.astype(np.float32), 4.0)
            slow = ndimage.gaussian_filter(np.where(mask, hu, 0).astype(np.float32), 4.0) / np.maximum(
                weight, 1e-6
            )
            means.setdefault(name, []).append(float(hu[mask].mean()))
            textures.setdefault(name, []).append(float((hu - slow)[mask].std()))
    return {
        name: Tissue(float(np.mean(found)), float(np.std(found)), float(np.median(textures[name])))
        for name, found in sorted(means.items())
    }
