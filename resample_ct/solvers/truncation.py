"""Views that a detector narrower than the image cuts off, continued for the ramp filter.

Cut off at once they would shine around the circle that is seen (Ohnesorge, Flohr, Schwarz, Heiken and
Bae, Med. Phys. 27, 2000, 39).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from resample_ct.physics.geometry import Geometry

# Of the distance to the source: rays that pass it closer run nearly along the detector.
_WIDEST_FAN = 0.95


def extended(geometry: Geometry, views: torch.Tensor) -> tuple[Geometry, torch.Tensor]:
    """The views of a detector that sees the whole image, if theirs does not.

    Each view falls from its last value to 0 by cos^2. Where a scan of a whole turn measured the same
    lines from the other side, it is 0: they have their weight there, see `ray_weights`.

    Args:
        geometry: the rays.
        views: (B, 1, angle, detector) weighted line integrals.
    """
    places, spacing = geometry.detector_places, geometry.detector_spacing
    reach = geometry.reach(min(math.sqrt(0.5) * geometry.image_size, _WIDEST_FAN * geometry.farthest))
    before, after = (max(0, math.ceil((reach - end) / spacing - 0.5)) for end in (-places[0], places[-1]))
    if not before and not after:
        return geometry, views
    wide = replace(
        geometry,
        n_detectors=len(places) + before + after,
        detector_offset=geometry.detector_offset + (after - before) / 2,
    )
    lacking = np.ones(wide.n_detectors)
    if geometry.turns_whole:
        mirrored = -wide.detector_places
        lacking[(mirrored >= places[0]) & (mirrored <= places[-1])] = 0.0
    falls = np.concatenate([_falling(before)[::-1], np.ones(len(places)), _falling(after)])
    factors = torch.from_numpy(lacking * falls).to(views)
    left, right = views[..., :1] * factors[:before], views[..., -1:] * factors[len(factors) - after :]
    return wide, torch.cat([left, views, right], dim=-1)


def _falling(count: int) -> np.ndarray:
    return np.cos(np.arange(1, count + 1) * (np.pi / 2 / (count + 1))) ** 2
