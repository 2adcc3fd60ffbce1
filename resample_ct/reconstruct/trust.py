"""When a latent prior is not to be trusted: six figures of a finished reconstruction, and their limits.

None of them needs the truth:

- misfit: sqrt(max(mean (A x - y)^2 - noise variance, 0)) / rms(y), what the result leaves of the
  sinogram beyond its noise. Metal beyond the HU window cannot be explained, nor can other rays than A's.
- prior gap: rms of x - D(E(x)) in HU, how far the result is from anything that the prior can express.
  Large for other objects than CT slices.
- spread: rms of the uncertainty map in HU, where the method draws several samples. It grows where
  samples of the prior and the measurement disagree, as at metal, and not with fewer views.
- rays per pixel: measured values over unknown ones. The others do not see what was never measured:
  from four views ReSample draws a plausible chest that fits, 160 to 180 HU away from the patient.
- missing arc: degrees that the views lack of a complete scan. Edges along the missing rays were not seen.
- unseen share: of the result's attenuation outside of the circle whose lines are all measured, as behind
  a detector that is narrower than the patient.

The limits are from training and held-out patients alone, by `python benchmarks/trust.py FILE ...`,
with noise 0.01, on 14 slices of seven patients, two of them held out. With preset `fast` the misfit
was at most 0.27 % at 25 views and 0.34 % at 12, the gap 56 HU at 25 views, both on a sharp kernel
(without it 0.22 %, 0.27 % and 41 HU). With `balanced` the spread was at most 51 HU, at 12 views
too; metal of 8 pixels radius gave 97, a chessboard 210. The limits are a quarter more than the
largest. From 25 to 12 views the error of the held-out slices rose from 40 to 48 HU to 77 to 96; the
limit of rays is 12 views, at about twice the error of 25. They hold for the shipped prior. They are
a tripwire, not a test of correctness: a small wrong detail passes.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch

from resample_ct.physics.geometry import Geometry
from resample_ct.physics.projector import Projector
from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.reconstruct.base import Measurement

MISFIT_LIMIT = 0.0042
PRIOR_GAP_LIMIT_HU = 70.0
SPREAD_LIMIT_HU = 64.0
# Twelve views of 364 detector pixels for 256 x 256 of the image.
RAYS_PER_PIXEL_LIMIT = 12 * 364 / 256**2
# A scan may end a view before its arc does; a corner of the image may hold a bit of the table.
MISSING_ARC_LIMIT_DEGREES = 10.0
UNSEEN_SHARE_LIMIT = 0.02


@dataclass(frozen=True)
class Trust:
    """What one slice's result says for and against the prior.

    Attributes:
        misfit_share: of the sinogram's root mean square.
        prior_gap_hu: in HU.
        rays_per_pixel: measured values for each unknown one.
        spread_hu: in HU; None where the method gives no spread.
        missing_arc_degrees: see `Geometry.missing_arc`.
        unseen_share: of the attenuation in the image.
    """

    misfit_share: float
    prior_gap_hu: float
    rays_per_pixel: float
    spread_hu: float | None = None
    missing_arc_degrees: float = 0.0
    unseen_share: float = 0.0

    @property
    def doubt(self) -> str:
        """Why the prior is not to be trusted, in words; empty where nothing speaks against it."""
        reasons = []
        if self.misfit_share > MISFIT_LIMIT:
            reasons.append(
                f"{self.misfit_share:.2%} of the sinogram is left unexplained (ordinary slices: below "
                f"{MISFIT_LIMIT:.2%}), as by metal, another geometry or a method that did not get there"
            )
        if self.prior_gap_hu > PRIOR_GAP_LIMIT_HU:
            reasons.append(
                f"the result is {self.prior_gap_hu:.0f} HU from what the prior can express (ordinary "
                f"slices: below {PRIOR_GAP_LIMIT_HU:.0f} HU), as another kind of object is"
            )
        if self.spread_hu is not None and self.spread_hu > SPREAD_LIMIT_HU:
            reasons.append(
                f"samples of the prior and the measurement are {self.spread_hu:.0f} HU apart (ordinary "
                f"slices: below {SPREAD_LIMIT_HU:.0f} HU): they disagree"
            )
        if self.rays_per_pixel < RAYS_PER_PIXEL_LIMIT:
            reasons.append(
                f"{self.rays_per_pixel:.3f} rays were measured for each pixel (expected at least "
                f"{RAYS_PER_PIXEL_LIMIT:.3f}): most of the image is the prior's guess"
            )
        if self.missing_arc_degrees > MISSING_ARC_LIMIT_DEGREES:
            reasons.append(
                f"the views lack {self.missing_arc_degrees:.0f} degrees of a complete scan (expected: at "
                f"most {MISSING_ARC_LIMIT_DEGREES:.0f}): edges along these rays are the prior's guess"
            )
        if self.unseen_share > UNSEEN_SHARE_LIMIT:
            reasons.append(
                f"{self.unseen_share:.0%} of the attenuation is where the detector did not see every "
                f"line (expected: at most {UNSEEN_SHARE_LIMIT:.0%}): there, and in HU, it is a guess"
            )
        return "; ".join(reasons)

    def record(self) -> dict[str, Any]:
        """Figures and doubt as JSON values."""
        return asdict(self) | {"doubt": self.doubt}


def notes_on_rays(geometry: Geometry) -> list[str]:
    """What no method can know from a scan's rays, for the user; nothing of a complete scan."""
    notes = []
    missing = math.degrees(geometry.missing_arc)
    if missing > MISSING_ARC_LIMIT_DEGREES:
        notes.append(
            f"the views lack {missing:.0f} degrees of a complete scan: no method sees edges that run "
            "along the missing rays"
        )
    if geometry.seen_radius < geometry.image_size / 2:
        notes.append(
            f"the detector sees all lines only within {geometry.seen_radius:.0f} pixels of the axis, of "
            f"{geometry.image_size / 2:.0f} to the image's edge: beyond, and in HU everywhere, no method "
            "knows what is there"
        )
    return notes


def judge(
    prior: DiffusionPrior,
    measurement: Measurement,
    image: torch.Tensor,
    spread: torch.Tensor | None = None,
) -> list[Trust]:
    """Judge each slice of a result; one projection, one E and one D.

    Args:
        prior: that made it.
        measurement: that it was made from.
        image: (B, 1, H, W) relative attenuation in [0, 1].
        spread: (B, 1, H, W) its standard deviation, where the method gives it.
    """
    y = measurement.sinogram
    with torch.no_grad():
        beyond = (measurement.residual(image) - measurement.noise_variance).clamp(min=0.0).sqrt()
        scale = y.square().mean(dim=(1, 2, 3)).sqrt().clamp(min=1e-12)
        expressed = prior.decode(prior.encode(image)).clamp(0.0, 1.0)
        gap = (image - expressed).square().mean(dim=(1, 2, 3)).sqrt() * prior.window.width
    rays = y[0].numel() / image[0].numel()
    open_hu: list[float | None] = [None] * len(image)
    if spread is not None:
        open_hu = (spread.square().mean(dim=(1, 2, 3)).sqrt() * prior.window.width).tolist()
    missing, unseen = 0.0, torch.zeros(len(image))
    if isinstance(measurement.operator, Projector):
        missing = math.degrees(measurement.operator.geometry.missing_arc)
        unseen = _unseen_share(measurement.operator.geometry, image)
    return [
        Trust(float(m), float(g), rays, s, missing, float(u))
        for m, g, s, u in zip(beyond / scale, gap, open_hu, unseen, strict=True)
    ]


def _unseen_share(geometry: Geometry, image: torch.Tensor) -> torch.Tensor:
    """(B,) share of the attenuation outside of the circle whose lines are all measured."""
    place = torch.arange(geometry.image_size, device=image.device) - (geometry.image_size - 1) / 2
    outside = place.square() + place[:, None].square() > geometry.seen_radius**2
    total = image.sum(dim=(1, 2, 3)).clamp(min=1e-12)
    return (image * outside).sum(dim=(1, 2, 3)) / total
