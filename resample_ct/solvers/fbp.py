"""Filtered back-projection of any geometry (Kak and Slaney 1988, chapter 3)."""

from __future__ import annotations

import numpy as np
import torch

from resample_ct.errors import OptionError
from resample_ct.physics.back_projection import back_project
from resample_ct.physics.geometry import Geometry
from resample_ct.solvers.redundancy import ray_weights
from resample_ct.solvers.truncation import extended


def frequency_response(length: int, name: str, spacing: float = 1.0, fan_step: float = 0.0) -> np.ndarray:
    """The filter at the frequencies of a real FFT.

    The ramp is the transform of its band-limited kernel (Kak and Slaney eq. 61), not |f| itself,
    which would lose the mean. The windows end at the image's highest frequency where the detector is
    finer than the image.

    Args:
        length: samples of the FFT.
        name: ramp, hann, shepp-logan or cosine.
        spacing: between samples, in image pixels.
        fan_step: angle between samples in radians, where they are equally far apart in that and not
            along a line: the kernel of gamma is (gamma / sin(gamma))^2 the ramp's (eq. 101).

    Raises:
        OptionError: an unknown name.
    """
    n = np.fft.fftfreq(length, 1 / length)
    kernel = np.zeros(length)
    kernel[0] = 0.25
    odd = n % 2 == 1
    # Differences of a turn come only where the FFT is longer than any detector.
    gamma = np.clip(n[odd] * fan_step, -3.0, 3.0)
    kernel[odd] = -1 / (np.pi * n[odd] * np.sinc(gamma / np.pi)) ** 2
    ramp = np.real(np.fft.rfft(kernel))
    f = np.fft.rfftfreq(length) / min(spacing, 1.0)
    windows = {
        "ramp": np.ones_like(f),
        "hann": 0.5 + 0.5 * np.cos(2 * np.pi * f),
        "shepp-logan": np.sinc(f),
        "cosine": np.cos(np.pi * f),
    }
    if name not in windows:
        raise OptionError(f"filter {name}: unknown, expected one of {', '.join(windows)}")
    return ramp / spacing * np.where(f <= 0.5, windows[name], 0.0)


def fbp(geometry: Geometry, y: torch.Tensor, filter: str = "ramp") -> torch.Tensor:
    """Weight each ray, filter each view and project it back.

    A fan's rays are weighted with their cosine, and with their distance from the source on the way back
    (Kak and Slaney 3.4); rays that repeat each other share their weight, see `ray_weights`.

    Args:
        geometry: the rays.
        y: (B, 1, angle, detector) line integrals.
        filter: ramp, hann, shepp-logan or cosine.

    Returns:
        (B, 1, row, column), not clipped.

    Raises:
        OptionError: an unknown filter.
    """
    weights = torch.from_numpy(ray_weights(geometry) * np.cos(geometry.fan_angles)).to(y)
    geometry, views = extended(geometry, y * weights)
    detectors = geometry.n_detectors
    length = 1 << (2 * detectors - 1).bit_length()
    response = frequency_response(length, filter, geometry.axis_spacing, geometry.fan_step)
    spectrum = torch.fft.rfft(views, n=length) * torch.from_numpy(response).to(y)
    return back_project(geometry, torch.fft.irfft(spectrum, n=length)[..., :detectors])
