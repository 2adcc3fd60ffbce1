"""FBP-UNet's network on disk."""

from __future__ import annotations

from typing import ClassVar, Literal

from resample_ct.bundles.slice_unet import SliceUNetCard


class FBPUNetCard(SliceUNetCard):
    """Of the network that takes the streaks out of an FBP."""

    method: ClassVar[str] = "fbp-unet"
    job_field: ClassVar[str] = "fbp_unet"
    takes: ClassVar[str] = "filtered back-projection"

    kind: Literal["fbp-unet"] = "fbp-unet"
