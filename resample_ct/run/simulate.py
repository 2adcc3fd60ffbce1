"""Study to sinogram: reduce to the networks' grid, map HU to attenuation, project, add noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from resample_ct.io.study import Study
from resample_ct.operators.base import Operator
from resample_ct.physics.backends import make_projector
from resample_ct.physics.beam_hardening import HardenedBeam, hardened_projection
from resample_ct.physics.geometry import Geometry
from resample_ct.physics.noise import NoiseModel, attenuation_per_unit, parse_noise
from resample_ct.physics.sinogram_file import Sinogram
from resample_ct.progress import Update, silent
from resample_ct.run.simulated_scan import SimulatedScan
from resample_ct.values.network_grid import IMAGE_SIZE, network_slices
from resample_ct.values.units import Window
from resample_ct.values.volume import Volume, reduce_in_plane

_NOISE_STREAM, _METHOD_STREAM = 0, 1
# In each detector pixel, of the study's own pixels or of as many parts of them.
_RAYS_AT_LEAST = 2


def slice_generators(seed: int, indices: Sequence[int], stream: int) -> list[torch.Generator]:
    """One generator a slice, from seed, the slice's place in its study, and what it is for."""
    return [torch.Generator().manual_seed((seed * 1_000_003 + index) * 2 + stream) for index in indices]


def method_generators(seed: int, indices: Sequence[int]) -> list[torch.Generator]:
    """Generators for a method's own random numbers; every method gets the same ones."""
    return slice_generators(seed, indices, _METHOD_STREAM)


def noisy_projection(
    projector: Operator, image: torch.Tensor, model: NoiseModel, seed: int, index: int
) -> tuple[torch.Tensor, float]:
    """Measure one slice.

    Args:
        projector: A.
        image: (1, 1, 256, 256) relative attenuation, on the projector's device.
        model: of the noise.
        seed: of the noise, with the slice's place.
        index: that place in its study.

    Returns:
        The noisy sinogram (1, 1, angle, detector), and the mean noise as a standard deviation.
    """
    return _noisy(projector(image), model, seed, index)


def _noisy(clean: torch.Tensor, model: NoiseModel, seed: int, index: int) -> tuple[torch.Tensor, float]:
    noisy = model.apply(clean, slice_generators(seed, [index], _NOISE_STREAM))
    return noisy, float(model.variance(clean).mean()) ** 0.5


def simulate(
    study: Study,
    indices: Sequence[int],
    scan: SimulatedScan,
    seed: int,
    window: Window,
    device: str = "cpu",
    progress: Update = silent,
) -> tuple[Sinogram, torch.Tensor]:
    """Simulate sinograms of some of a study's slices.

    Args:
        study: the whole study.
        indices: the slices to measure, at least one; a slice's place also seeds its noise, so that
            it is the same whichever others are chosen.
        scan: the scanner.
        seed: of the noise.
        window: HU window that the attenuation is relative to.
        device: where the projector runs.
        progress: called with slices done, slices in all, and what is at work.

    Returns:
        The sinograms, and the slices that they are compared with, (N, 1, 256, 256) in [0, 1].
    """
    grid = study.grid.resized(IMAGE_SIZE)
    geometry = scan.rays(grid.spacing_mm[0])
    model = parse_noise(scan.noise, grid.spacing_mm[0], window)
    chosen = study.select(indices)
    rows, sigmas, truths = [], [], []
    for place, index in enumerate(indices):
        progress(place, len(indices), "projecting")
        volume = chosen.select([place]).volume
        image, _ = network_slices(volume, window)
        if scan.pixels == "native":
            clean = _native_projection(scan, geometry, volume, window, device)
        else:
            clean = _projection(scan, geometry, image.to(device), grid.spacing_mm[0], window)
        row, sigma = _noisy(clean, model, seed, index)
        rows.append(row.cpu())
        sigmas.append(sigma)
        truths.append(image)
    sinogram = Sinogram(
        data=torch.cat(rows)[:, 0].numpy(),
        geometry=geometry,
        grid=grid.select(indices),
        window=window,
        noise=scan.noise,
        noise_sigma=np.array(sigmas),
        source=study.name,
        source_headers=tuple(h.to_json(suppress_invalid_tags=True) for h in chosen.headers),
    )
    return sinogram, torch.cat(truths)


def _projection(
    scan: SimulatedScan, geometry: Geometry, image: torch.Tensor, pixel_mm: float, window: Window
) -> torch.Tensor:
    """Noiseless line integrals of (1, 1, row, column) in its pixels, as the scan's beam reports them."""
    projector = make_projector(geometry, str(image.device))
    if scan.kvp is None:
        return projector(image)
    unit = attenuation_per_unit(pixel_mm, window)
    return hardened_projection(HardenedBeam(scan.kvp), projector, image, window, unit)


def _native_projection(
    scan: SimulatedScan, geometry: Geometry, volume: Volume, window: Window, device: str
) -> torch.Tensor:
    """Line integrals of the study's own pixels, the mean of each detector pixel's rays."""
    parts = max(_RAYS_AT_LEAST, math.ceil(max(volume.hu.shape[1:]) / IMAGE_SIZE))
    fine = reduce_in_plane(volume, IMAGE_SIZE * parts)
    # What the window cuts off above, as metal, the scanner sees all the same.
    attenuation = torch.from_numpy((fine.hu - window.lower) / window.width).clamp(min=0.0)[:, None]
    rays = geometry.finer(parts)
    pixel_mm = fine.grid.spacing_mm[0]
    sinogram = _projection(scan, rays, attenuation.float().to(device), pixel_mm, window)
    return sinogram.unflatten(-1, (geometry.n_detectors, parts)).mean(dim=-1) / parts
