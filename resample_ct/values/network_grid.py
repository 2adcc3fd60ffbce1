"""A study's slices as projector and networks take them: 256 x 256, relative attenuation."""

from __future__ import annotations

import numpy as np
import torch

from resample_ct.values.units import Window
from resample_ct.values.volume import Volume, reduce_in_plane

# The paper's size, and the size that the shipped prior was trained at.
IMAGE_SIZE = 256


def network_slices(volume: Volume, window: Window) -> tuple[torch.Tensor, Volume]:
    """Reduce a volume to the networks' grid.

    Returns:
        (N, 1, 256, 256) relative attenuation in [0, 1], clipped to the window, and the reduced
        volume in HU, not clipped.
    """
    reduced = reduce_in_plane(volume, IMAGE_SIZE)
    return window.from_hu(torch.from_numpy(np.ascontiguousarray(reduced.hu)))[:, None], reduced
