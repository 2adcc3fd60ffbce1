"""A measured scan as a job reads it: checked, with its axis of rotation and its noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from resample_ct.errors import OptionError
from resample_ct.physics.sinogram_file import Sinogram
from resample_ct.run.job import Job
from resample_ct.scan_check.check import centred, check_scan, with_noise
from resample_ct.scan_import.importing import read_scan


def read_measured(job: Job) -> Sinogram:
    """Read a job's scan.

    Returns:
        The scan with the job's axis and noise, where it gives them; what checking found is among
        its notes. It always has a `noise_sigma`.

    Raises:
        ResampleCTError: a file that cannot be read, an axis beside the detector, or `auto` where the
            views do not show it.
    """
    scan = read_scan(job.source)
    notes = list(scan.notes)
    if job.centre == "auto":
        scan = centred(scan)
        notes.append(f"--centre auto: rotation axis at detector pixel {_axis(scan):.2f}")
    elif job.centre is not None:
        scan = _with_axis(scan, job.centre)
    notes += [f"scan check: {finding.line}" for finding in check_scan(scan) if finding.is_fault]
    if job.sigma is not None:
        scan = replace(scan, noise_sigma=np.full(len(scan.data), job.sigma))
    elif scan.noise_sigma is None:
        scan = with_noise(scan)
        assert scan.noise_sigma is not None
        notes.append(
            f"noise: not stated, estimated as {np.median(scan.noise_sigma):.3g} in pixel units; give "
            "--sigma where it is known"
        )
    return replace(scan, notes=tuple(notes))


def _axis(scan: Sinogram) -> float:
    return (scan.geometry.n_detectors - 1) / 2 - scan.geometry.detector_offset


def _with_axis(scan: Sinogram, pixel: float) -> Sinogram:
    last = scan.geometry.n_detectors - 1
    if not 0 <= pixel <= last:
        raise OptionError(
            f"--centre {pixel:g}: expected auto or the axis' detector pixel, from 0 to {last}"
        )
    return replace(scan, geometry=replace(scan.geometry, detector_offset=last / 2 - pixel))
