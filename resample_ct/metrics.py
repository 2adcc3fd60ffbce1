"""PSNR, SSIM and HU error of a slice; the data range is the window, so slices compare across studies."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from resample_ct.solvers.solution import Stopped
from resample_ct.values.units import Window


@dataclass(frozen=True)
class SliceMetrics:
    """One slice by one method; psnr, ssim and rmse_hu are None without a truth to compare with.

    `residual` is the mean of (A x - y)^2; `iterations` and `stopped` are of the method's last solver, see
    `resample_ct.solvers.solution.Solution`. The last seven are of
    `resample_ct.reconstruct.trust.Trust`, None for a method that is not judged.
    """

    method: str
    study: str
    slice: int
    psnr: float | None
    ssim: float | None
    rmse_hu: float | None
    residual: float
    seconds: float
    iterations: int
    stopped: Stopped
    misfit_share: float | None = None
    prior_gap_hu: float | None = None
    rays_per_pixel: float | None = None
    spread_hu: float | None = None
    missing_arc_degrees: float | None = None
    unseen_share: float | None = None
    doubt: str | None = None

    def record(self) -> dict[str, Any]:
        """The keys and values of metrics.json."""
        return asdict(self)


def psnr(image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """PSNR in dB of each slice, (B,), at most 120 dB, as JSON has no infinity; data range 1."""
    mse = (image - truth).square().mean(dim=(1, 2, 3))
    return -10 * mse.clamp(min=1e-12).log10()


def compare(image: torch.Tensor, truth: torch.Tensor, window: Window) -> list[tuple[float, float, float]]:
    """PSNR in dB, SSIM and RMSE in HU of each slice.

    Args:
        image: (B, 1, H, W) relative attenuation, clipped here to the window as the truth is.
        truth: the same shape, in [0, 1].
        window: its width in HU scales the RMSE.
    """
    image = image.clamp(0.0, 1.0)
    rmse = (image - truth).square().mean(dim=(1, 2, 3)).sqrt() * window.width
    similarity = structural_similarity_index_measure(image, truth, data_range=1.0, reduction="none")
    assert isinstance(similarity, torch.Tensor)
    return [
        (float(p), float(s), float(r))
        for p, s, r in zip(psnr(image, truth), similarity.reshape(-1), rmse, strict=True)
    ]
