"""Random views of a slice that another patient, scanner or reconstruction could have given.

Flips, rotation, zoom and shift (one affine sampling), a smooth deformation, a thicker slice (mixed with
its neighbour), a softer kernel (a Gaussian), and intensity. Values stay relative attenuation in [0, 1].
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812

_ROTATION = math.pi / 9
_ZOOM = 0.8, 1.4
_STRETCH = 0.06
_DEFORMATION = 0.03
_DEFORMATION_POINTS = 6
_GAIN = 0.05
_LARGEST_BLUR = 0.6
# Sharp kernels are mostly noise at 25 views; 0.65 pixels turned the training set's lung kernel into its
# soft one (41 dB apart, 31 dB without).
SHARP_NOISE = 0.008
_SHARP_BLUR = 0.45, 0.85


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(n, generator=generator) * (high - low) + low


def soft_tissue_noise(slices: torch.Tensor) -> torch.Tensor:
    """Noise of each slice (B, 1, H, W), from the Laplacian where 0.3 < x < 0.4 (-100 to 200 HU).

    The median absolute value, so that edges do not count (Immerkaer 1996); 0 without such tissue.
    """
    inner = slices[..., 1:-1, 1:-1]
    neighbours = slices[..., :-2, 1:-1] + slices[..., 2:, 1:-1]
    neighbours = neighbours + slices[..., 1:-1, :-2] + slices[..., 1:-1, 2:]
    laplacian = (4 * inner - neighbours).abs()
    noise = [
        float(of[(x > 0.3) & (x < 0.4)].median()) if bool(((x > 0.3) & (x < 0.4)).any()) else 0.0
        for of, x in zip(laplacian, inner, strict=True)
    ]
    return torch.tensor(noise) / (0.6745 * math.sqrt(20))


def blur(images: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Gaussian blur of each image (B, 1, H, W) with its own sigma (B,) in pixels, up to 1."""
    place = torch.arange(-3.0, 4.0)
    kernel = torch.exp(-0.5 * (place / sigma.clamp(min=1e-3)[:, None]).square())
    kernel = kernel / kernel.sum(dim=1, keepdim=True)
    batch = len(images)
    rows = F.pad(images.transpose(0, 1), (3, 3, 3, 3), mode="replicate")
    rows = F.conv2d(rows, kernel.view(batch, 1, 1, 7), groups=batch)
    return F.conv2d(rows, kernel.view(batch, 1, 7, 1), groups=batch).transpose(0, 1)


def _sampling_grid(batch: int, size: int, side: int, generator: torch.Generator) -> torch.Tensor:
    angle = _uniform(batch, -_ROTATION, _ROTATION, generator)
    zoom = _uniform(batch, *_ZOOM, generator)
    stretch = 1 + _uniform(batch, -_STRETCH, _STRETCH, generator)
    flip = (torch.rand(batch, 2, generator=generator) < 0.5).float() * 2 - 1
    share = size / side
    reach = max(1 - share, 0.06)
    shift = _uniform(batch, -reach, reach, generator), _uniform(batch, -reach, reach, generator)
    cos, sin = torch.cos(angle) / zoom * share, torch.sin(angle) / zoom * share
    theta = torch.stack(
        [
            torch.stack([stretch * cos * flip[:, 0], -sin * flip[:, 1], shift[0]], 1),
            torch.stack([sin * flip[:, 0], cos * flip[:, 1] / stretch, shift[1]], 1),
        ],
        1,
    )
    grid = F.affine_grid(theta, [batch, 1, size, size], align_corners=False)
    points = torch.randn(batch, 2, _DEFORMATION_POINTS, _DEFORMATION_POINTS, generator=generator)
    strength = _uniform(batch, 0.0, _DEFORMATION * share, generator).view(-1, 1, 1, 1)
    bent = F.interpolate(points * strength, size=(size, size), mode="bicubic", align_corners=True)
    return grid + bent.permute(0, 2, 3, 1)


def augment(
    slices: torch.Tensor, following: torch.Tensor, size: int, generator: torch.Generator
) -> torch.Tensor:
    """One random view of each slice.

    Args:
        slices: (B, 1, H, H) relative attenuation in [0, 1].
        following: (B, 1, H, H), each slice's neighbour along the normal; itself where there is none.
        size: side of the crop in pixels; size = H keeps the whole slice.
        generator: source of every random number.

    Returns:
        (B, 1, size, size) in [0, 1]; beyond the slice's edge there is air.
    """
    batch, _, side, _ = slices.shape
    share = _uniform(batch, 0.0, 0.5, generator) * (torch.rand(batch, generator=generator) < 0.5)
    thick = torch.lerp(slices, following, share.view(-1, 1, 1, 1))
    grid = _sampling_grid(batch, size, side, generator)
    crops = F.grid_sample(thick, grid, mode="bicubic", align_corners=False)
    softness = torch.rand(batch, generator=generator)
    sharp = soft_tissue_noise(thick) > SHARP_NOISE
    low, high = _SHARP_BLUR
    sigma = torch.where(sharp, low + softness * (high - low), _LARGEST_BLUR * (2 * softness - 1))
    softer = blur(crops, sigma.clamp(min=0.0))
    gain = _uniform(batch, 1 - _GAIN, 1 + _GAIN, generator).view(-1, 1, 1, 1)
    return (softer * gain).clamp(0.0, 1.0)
