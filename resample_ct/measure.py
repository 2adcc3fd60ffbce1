"""Study to sinogram: reduce to the network's grid, map HU to attenuation, project, add noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from resample_ct.errors import OptionError
from resample_ct.io.study import Study
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.noise import parse_noise
from resample_ct.physics.sinogram_file import Sinogram
from resample_ct.units import Window
from resample_ct.volume import Volume, reduce_in_plane

IMAGE_SIZE = 256
_NOISE_STREAM, _METHOD_STREAM = 0, 1


def slice_generators(seed: int, indices: Sequence[int], stream: int) -> list[torch.Generator]:
    """One generator a slice, from seed, the slice's place in its study, and what it is for."""
    return [
        torch.Generator().manual_seed((seed * 1_000_003 + index) * 2 + stream) for index in indices
    ]


def method_generators(seed: int, indices: Sequence[int]) -> list[torch.Generator]:
    """Generators for a method's own random numbers; every method gets the same ones."""
    return slice_generators(seed, indices, _METHOD_STREAM)


def parse_slices(text: str | None, count: int) -> list[int]:
    """`10:20` (end left out), `3,7,9` or one number to slice indices, counted from 0 along the normal.

    Raises OptionError for anything that is no such text or lies outside the study.

    >>> parse_slices("1:4", 10)
    [1, 2, 3]
    """
    if text is None:
        return list(range(count))
    try:
        if ":" in text:
            low, high = text.split(":")
            chosen = list(range(int(low or 0), int(high or count)))
        else:
            chosen = [int(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(
            f"--slices {text}: not understood, expected 10:20, 3,7,9 or one number"
        ) from None
    if not chosen or min(chosen) < 0 or max(chosen) >= count or len(set(chosen)) < len(chosen):
        raise OptionError(
            f"--slices {text}: found {len(chosen)} slices, expected distinct ones within 0:{count}"
        )
    return sorted(chosen)


def attenuation_of(volume: Volume, window: Window) -> torch.Tensor:
    """Slices as (N, 1, H, W) relative attenuation in [0, 1]."""
    return window.from_hu(torch.from_numpy(np.ascontiguousarray(volume.hu, np.float32)))[:, None]


def simulate(
    study: Study,
    indices: Sequence[int],
    n_angles: int,
    noise: str,
    seed: int,
    window: Window,
    device: str = "cpu",
) -> tuple[Sinogram, Volume]:
    """Simulate parallel-beam sinograms of the study's slices.

    Args:
        study: the chosen slices only.
        indices: their places in the whole study, which seed their noise.
        n_angles: views over 180 degrees.
        noise: "gaussian:0.01", "poisson:1e5" or "none".
        seed: the same seed gives the same noise to a slice, whichever others are chosen.
        window: HU window that the attenuation is relative to.
        device: where the projector runs.

    Returns:
        The sinograms, and the reduced volume they were made from: the truth to compare with.
    """
    truth = reduce_in_plane(study.volume, IMAGE_SIZE)
    geometry = ParallelBeam(image_size=IMAGE_SIZE, n_angles=n_angles)
    projector = make_projector(geometry, device)
    pixel_mm = truth.pixel_spacing_mm[0]
    model = parse_noise(noise, pixel_mm)
    rows, variances = [], []
    for index, image in zip(indices, attenuation_of(truth, window), strict=True):
        generators = slice_generators(seed, [index], _NOISE_STREAM)
        clean = projector(image[None].to(device))
        rows.append(model.apply(clean, generators).cpu())
        variances.append(float(model.variance(clean).mean()))
    sinogram = Sinogram(
        data=torch.cat(rows)[:, 0].numpy(),
        geometry=geometry,
        noise=noise,
        noise_sigma=float(np.mean(variances)) ** 0.5,
        pixel_mm=pixel_mm,
        source_uids=tuple(str(h.SOPInstanceUID) for h in study.headers),
        study_uid=str(study.headers[0].StudyInstanceUID) if study.headers else "",
        positions=truth.positions,
        affine=truth.affine,
    )
    return sinogram, truth
