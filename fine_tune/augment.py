"""Random views of a slice: flips, rotation, zoom, shift and intensity, all by one affine sampling."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(n, generator=generator) * (high - low) + low


def augmented_batch(
    slices: torch.Tensor, batch: int, size: int, generator: torch.Generator
) -> torch.Tensor:
    """Draw `batch` augmented crops.

    Args:
        slices: (N, 1, H, H) relative attenuation in [0, 1].
        batch: number of crops.
        size: side of the crop in pixels; size = H keeps the whole slice.
        generator: source of every random number.

    Returns:
        (batch, 1, size, size) in [0, 1]; beyond the slice's edge there is air.
    """
    n, _, side, _ = slices.shape
    index = torch.randint(n, (batch,), generator=generator)
    angle = _uniform(batch, -math.pi / 12, math.pi / 12, generator)
    zoom = _uniform(batch, 0.85, 1.15, generator)
    flip = (torch.rand(batch, 2, generator=generator) < 0.5).float() * 2 - 1
    share = size / side
    reach = max(1 - share, 0.06)
    shift = _uniform(batch, -reach, reach, generator), _uniform(batch, -reach, reach, generator)
    cos, sin = torch.cos(angle) / zoom * share, torch.sin(angle) / zoom * share
    theta = torch.stack(
        [
            torch.stack([cos * flip[:, 0], -sin * flip[:, 1], shift[0]], 1),
            torch.stack([sin * flip[:, 0], cos * flip[:, 1], shift[1]], 1),
        ],
        1,
    )
    grid = F.affine_grid(theta, [batch, 1, size, size], align_corners=False)
    crops = F.grid_sample(slices[index], grid, mode="bicubic", align_corners=False)
    gain = _uniform(batch, 0.95, 1.05, generator).view(-1, 1, 1, 1)
    return (crops * gain).clamp(0.0, 1.0)
