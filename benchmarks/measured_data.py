"""Results of a measured scan against FBP of all its views, as a table and a picture.

    python benchmarks/measured_data.py PICTURE.png FBP-OF-ALL.nii.gz RESULT.nii.gz ...

Prints each result's root mean square distance in HU from the first, within the object, and Matthews'
correlation of the two after a threshold half way between air and the object: the score of the Helsinki
Tomography Challenge 2022. The picture shows all of them between air and the object's brightest tenth.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
from scipy import ndimage


def first_slice(path: Path) -> np.ndarray:
    """HU of the first slice, (row, column)."""
    return np.asarray(nib.load(path).dataobj)[:, :, 0].T.astype(np.float64)


def correlation(found: np.ndarray, expected: np.ndarray) -> float:
    """Matthews' correlation coefficient of two binary images."""
    return float(np.corrcoef(found.ravel().astype(float), expected.ravel().astype(float))[0, 1])


def main() -> None:
    """Print the table and write the picture."""
    picture, *paths = map(Path, sys.argv[1:])
    images = [first_slice(path) for path in paths]
    names = [
        f"{path.parent.name.removeprefix('o-')} {path.name.removesuffix('.nii.gz')}" for path in paths
    ]
    whole = images[0]
    solid = float(np.median(whole[whole > (whole.min() + np.quantile(whole, 0.99)) / 2]))
    level = (solid - 1000) / 2
    inside = ndimage.binary_erosion(ndimage.binary_fill_holes(whole > level), iterations=3)
    print("| result | RMSE in the object (HU) | correlation |\n|---|---|---|")
    for name, image in zip(names, images, strict=True):
        distance = float(np.sqrt(((image - whole)[inside] ** 2).mean()))
        print(f"| {name} | {distance:.0f} | {correlation(image > level, whole > level):.3f} |")
    columns = min(4, len(images))
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.2 * columns, 2.35 * rows), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, name, image in zip(axes.flat, names, images, strict=False):
        axis.imshow(image, cmap="gray", vmin=-1000, vmax=1.15 * solid + 150)
        axis.set_title(name, fontsize=7)
    figure.tight_layout(pad=0.8)
    figure.savefig(picture, dpi=80)


if __name__ == "__main__":
    main()
