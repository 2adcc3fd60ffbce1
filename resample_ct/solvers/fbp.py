"""Filtered back-projection (Kak and Slaney 1988, chapter 3)."""

from __future__ import annotations

import math

import numpy as np
import torch

from resample_ct.errors import OptionError
from resample_ct.physics.geometry import Geometry, ParallelBeam, view_arcs


def frequency_response(length: int, name: str, spacing: float = 1.0) -> np.ndarray:
    """The filter at the frequencies of a real FFT of `length` samples, `spacing` pixels apart.

    The ramp is the transform of its band-limited kernel (Kak and Slaney eq. 61), not |f| itself,
    which would lose the mean. The windows end at the image's highest frequency where the detector is
    finer than the image. Raises OptionError for an unknown name.
    """
    n = np.fft.fftfreq(length, 1 / length)
    kernel = np.zeros(length)
    kernel[0] = 0.25
    odd = n % 2 == 1
    kernel[odd] = -1 / (np.pi * n[odd]) ** 2
    ramp = np.real(np.fft.rfft(kernel))
    f = np.fft.rfftfreq(length) / min(spacing, 1.0)
    windows = {
        "ramp": np.ones_like(f),
        "hann": 0.5 + 0.5 * np.cos(2 * np.pi * f),
        "shepp-logan": np.sinc(f),
        "cosine": np.cos(np.pi * f),
    }
    if name not in windows:
        raise OptionError(f"--filter {name}: unknown, expected one of {', '.join(windows)}")
    return ramp / spacing * np.where(f <= 0.5, windows[name], 0.0)


def back_project(geometry: ParallelBeam, views: torch.Tensor) -> torch.Tensor:
    """Sum over the views of their value where each pixel lies, interpolated linearly; 0 beyond.

    Not A^T: that leaves gaps between rays that are further apart than pixels.
    """
    last = geometry.n_detectors
    padded = torch.nn.functional.pad(views, (1, 1))
    place = torch.arange(geometry.image_size, dtype=torch.float64, device=views.device)
    place = place - (geometry.image_size - 1) / 2
    image = views.new_zeros(views.shape[0], 1, *geometry.image_shape)
    for index, angle in enumerate(geometry.angles):
        s = place * math.cos(angle) - place[:, None] * math.sin(angle)
        detector = s / geometry.detector_spacing + (last + 1) / 2 - geometry.detector_offset
        low = detector.floor().clamp(0, last)
        share = (detector - low).clamp(0, 1).to(views)
        view, low = padded[:, :, index], low.long()
        image += torch.lerp(view[..., low], view[..., low + 1], share)
    return image


def fbp(geometry: Geometry, y: torch.Tensor, filter: str = "ramp") -> torch.Tensor:
    """Filter each view, weight it with its arc and project it back.

    Args:
        geometry: the rays.
        y: (B, 1, angle, detector) line integrals.
        filter: ramp, hann, shepp-logan or cosine.

    Returns:
        (B, 1, row, column), not clipped.

    Raises:
        OptionError: rays of a fan, or an unknown filter.
    """
    if not isinstance(geometry, ParallelBeam):
        raise OptionError("filtered back-projection: found a fan beam, expected parallel; choose tv")
    detectors = y.shape[-1]
    length = 1 << (2 * detectors - 1).bit_length()
    response = torch.from_numpy(frequency_response(length, filter, geometry.detector_spacing)).to(y)
    filtered = torch.fft.irfft(torch.fft.rfft(y, n=length) * response, n=length)[..., :detectors]
    weights = torch.from_numpy(view_arcs(geometry.angles, math.pi)).to(y)[:, None]
    return back_project(geometry, filtered * weights)
