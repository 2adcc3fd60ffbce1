"""FBP-UNet: FBP, then a UNet that removes its streaks (Jin, McCann, Froustey and Unser 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from resample_ct.prior.residual_unet import ResidualUNet
from resample_ct.reconstruct.base import Measurement
from resample_ct.reconstruct.classical import FBP


@dataclass(frozen=True)
class FBPUNet:
    """The ramp-filtered back-projection through a trained network."""

    network: ResidualUNet

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> torch.Tensor:
        """See `Reconstructor`."""
        with torch.no_grad():
            image: torch.Tensor = self.network(FBP()(measurement, generators))
        return image
