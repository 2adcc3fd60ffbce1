"""A DICOM study: simulate a sparse scan of some slices, reconstruct, write a derived DICOM series.

python examples/dicom_study.py
"""

from __future__ import annotations

from pathlib import Path

import resample_ct as rct

SAMPLE = Path(__file__).parents[1] / "sample_data" / "Lung_Dx-A0002" / "3-B40f"


def main(
    folder: Path = SAMPLE, out: Path = Path("derived"), method: str = "resample", size: int = 256
) -> None:
    """Write the derived series of two slices into a new folder."""
    study = rct.read_study(folder)
    scan = rct.simulate(study, rct.parallel_beam(size, angles=25), slices="12:14")
    result = rct.reconstruct(scan, method, preset="fast" if method == "resample" else None)
    uid = rct.write_series(study, result, out)
    print(f"{out}: {len(result.indices)} slices, series {uid}")
    print(result.made_by)


if __name__ == "__main__":
    main()
