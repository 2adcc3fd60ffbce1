"""README's picture: one slice of a result, and ReSample's error.

resample-ct reconstruct sample_data/Lung_Dx-A0002/3-B40f --slices 12 --out result
python benchmarks/example_picture.py result docs/images/example.webp
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from matplotlib.figure import Figure

from resample_ct.run.montage import ERROR_HU, LUNG


def main(result: Path, picture: Path) -> None:
    """Draw the first slice of a result folder."""
    hu = {
        name: np.asarray(nib.load(result / f"{name}.nii.gz").dataobj)[..., 0].T
        for name in ("truth", "fbp", "tv", "resample")
    }
    records = json.loads((result / "metrics.json").read_text())
    first = min(record["slice"] for record in records)
    psnr = {r["method"]: r["psnr"] for r in records if r["slice"] == first}
    views = json.loads((result / "run.json").read_text())["measurement"]["views"]
    titles = {"truth": "Truth", "fbp": "FBP", "tv": "Total variation", "resample": "ReSample"}
    figure = Figure(figsize=(12.5, 2.9), facecolor="white", layout="constrained")
    axes = figure.subplots(1, 5)
    for axis, (name, title) in zip(axes, titles.items(), strict=False):
        axis.imshow(hu[name], cmap="gray", vmin=LUNG[0], vmax=LUNG[1])
        told = f"{views} views, {psnr[name]:.1f} dB" if name in psnr else "the scanner's slice"
        axis.set_title(f"{title}\n{told}", fontsize=10)
    error = axes[4].imshow(hu["resample"] - hu["truth"], cmap="RdBu_r", vmin=-ERROR_HU, vmax=ERROR_HU)
    axes[4].set_title("ReSample's error\nin HU", fontsize=10)
    figure.colorbar(error, ax=axes[4], fraction=0.046, pad=0.02)
    for axis in axes:
        axis.axis("off")
    figure.savefig(picture, dpi=110, pil_kwargs={"quality": 88})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
