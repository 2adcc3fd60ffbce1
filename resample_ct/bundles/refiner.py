"""The second network of the cascade on disk, and which FBP-UNet it was trained behind."""

from __future__ import annotations

from typing import ClassVar, Literal

from resample_ct.bundles.slice_unet import SliceUNetCard


class RefinerCard(SliceUNetCard):
    """Of the network that takes out what FBP-UNet left and the measurement allows.

    Attributes:
        behind: hash of the FBP-UNet whose estimates it was trained on.
    """

    method: ClassVar[str] = "cascade"
    job_field: ClassVar[str] = "refiner"
    takes: ClassVar[str] = "FBP-UNet's estimate, made consistent"

    kind: Literal["refiner"] = "refiner"
    behind: str
