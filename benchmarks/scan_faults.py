"""Faults planted in simulated scans: which are found, and what is found where there is none.

    python benchmarks/scan_faults.py [SCANS]

Each scan is of another body of discs with organs, by formula, with photon noise; half of them in
parallel beam, half in fans, with 25 to 360 views. It is checked as it is, then once with every fault.
Prints a row for each fault, and the error of the axis that `--centre auto` finds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from resample_ct.scan_check.axis import find_axis
from resample_ct.scan_check.signals import Signals

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from scan_faults import faults, simulated, verdict


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    found: dict[str, int] = {}
    errors = []
    for index in range(count):
        rng, data, geometry, photons = simulated(index)
        axis = find_axis(Signals(data[None], geometry))
        assert axis is not None
        errors.append(abs(axis.pixel - (geometry.n_detectors - 1) / 2 + geometry.detector_offset))
        whole = ("no fault", np.array(geometry.angles), data, geometry)
        for name, *scan in (whole, *faults(rng, data, geometry, photons)):
            said = verdict(*scan)
            found[name] = found.get(name, 0) + bool(said)
            if bool(said) == (name == "no fault"):
                rays = f"{type(geometry).__name__}, {geometry.n_angles} views"
                print(f"scan {index}, {rays}, {name}: {'; '.join(said) or 'missed'}")
    print(f"| planted | flagged of {count} |\n|---|---|")
    for name, number in found.items():
        print(f"| {name} | {number} |")
    print(f"axis: error at most {max(errors):.3f}, median {np.median(errors):.3f} detector pixels")


if __name__ == "__main__":
    main()
