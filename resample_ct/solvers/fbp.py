"""Filtered back-projection (Kak and Slaney 1988, chapter 3)."""

from __future__ import annotations

import numpy as np
import torch

from resample_ct.errors import OptionError
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.projector import Projector


def frequency_response(length: int, name: str) -> np.ndarray:
    """The filter at the frequencies of a real FFT of `length` samples, for unit sample spacing.

    The ramp is the transform of its band-limited kernel (Kak and Slaney eq. 61), not |f| itself,
    which would lose the mean. Raises OptionError for an unknown name.
    """
    n = np.fft.fftfreq(length, 1 / length)
    kernel = np.zeros(length)
    kernel[0] = 0.25
    odd = n % 2 == 1
    kernel[odd] = -1 / (np.pi * n[odd]) ** 2
    ramp = np.real(np.fft.rfft(kernel))
    f = np.fft.rfftfreq(length)
    windows = {
        "ramp": np.ones_like(f),
        "hann": 0.5 + 0.5 * np.cos(2 * np.pi * f),
        "shepp-logan": np.sinc(f),
        "cosine": np.cos(np.pi * f),
    }
    if name not in windows:
        raise OptionError(f"--filter {name}: unknown, expected one of {', '.join(windows)}")
    return ramp * windows[name]


def view_weights(geometry: ParallelBeam) -> np.ndarray:
    """(angle,) radians of arc that each view stands for; they add up to pi.

    Views need not be evenly spaced: each takes half of the arc to either neighbour, modulo pi.
    """
    angles = np.mod(np.array(geometry.angles), np.pi)
    if len(angles) == 1:
        return np.array([np.pi])
    order = np.argsort(angles)
    gaps = np.diff(angles[order], append=angles[order][0] + np.pi)
    weights = np.empty_like(angles)
    weights[order] = 0.5 * (gaps + np.roll(gaps, 1))
    return weights


def fbp(operator: Projector, y: torch.Tensor, filter: str = "ramp") -> torch.Tensor:
    """X = A^T (weight of the view * filter * y).

    The detector's spacing cancels: the filter has 1 / spacing, and A^T, which spreads every ray
    over the pixels it crosses, 1 / spacing too many.

    Args:
        operator: the Radon transform; its geometry gives the views' arcs.
        y: (B, 1, angle, detector) line integrals.
        filter: ramp, hann, shepp-logan or cosine.

    Returns:
        (B, 1, row, column), not clipped.
    """
    detectors = y.shape[-1]
    length = 1 << (2 * detectors - 1).bit_length()
    response = torch.from_numpy(frequency_response(length, filter)).to(y)
    filtered = torch.fft.irfft(torch.fft.rfft(y, n=length) * response, n=length)[..., :detectors]
    weights = torch.from_numpy(view_weights(operator.geometry)).to(y)[:, None]
    return operator.T(filtered * weights)
