"""All checks of a scan, and the scan as they say it should be read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from resample_ct.errors import SinogramError
from resample_ct.physics.sinogram_file import Sinogram
from resample_ct.scan_check.air import air_finding
from resample_ct.scan_check.axis import axis_finding, find_axis, wobble_finding
from resample_ct.scan_check.detector import detector_finding
from resample_ct.scan_check.drift import drift_finding
from resample_ct.scan_check.finding import Finding
from resample_ct.scan_check.noise import estimate_sigma
from resample_ct.scan_check.signals import Signals
from resample_ct.scan_check.views import views_finding

CHECKS = (axis_finding, wobble_finding, drift_finding, air_finding, detector_finding, views_finding)


def check_scan(scan: Sinogram) -> list[Finding]:
    """Look for what would make every slice wrong without a word.

    Counts in place of logarithms, degrees in place of radians and the like are refused when a file is
    read; these are the faults that a scan has to be measured for.
    """
    signals = Signals.of(scan)
    return [check(signals) for check in CHECKS]


def centred(scan: Sinogram) -> Sinogram:
    """The scan with the axis of rotation where its views show it.

    Raises SinogramError where they do not: a truncated parallel scan of half a turn, or a fan of less
    than a turn.
    """
    axis = find_axis(Signals.of(scan))
    if axis is None:
        raise SinogramError(
            f"{scan.source}: --centre auto: found views that do not show the axis (truncated ones, or "
            "a fan of less than a turn); state center_of_rotation in the file"
        )
    geometry = scan.geometry
    offset = (geometry.n_detectors - 1) / 2 - axis.pixel
    return replace(scan, geometry=replace(geometry, detector_offset=offset))


def with_noise(scan: Sinogram) -> Sinogram:
    """The scan with an estimate of each slice's noise where the file states none."""
    if scan.noise_sigma is not None:
        return scan
    sigma = np.array([estimate_sigma(views.astype(np.float64)) for views in scan.data])
    return replace(scan, noise_sigma=sigma)
