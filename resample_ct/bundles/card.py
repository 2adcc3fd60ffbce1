"""What a bundle says of itself: which networks, trained on what, and what they expect of a study."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from resample_ct.networks.settings import (
    AutoencoderSettings,
    NetworkSettings,
    UNetSettings,
    VQAutoencoderSettings,
)
from resample_ct.prior.schedule import NoiseSchedule, Prediction
from resample_ct.values.units import Window

# Of the bundle format; 1 was the first release's, which MONAI could not read.
FORMAT_VERSION: Literal[2] = 2

# What MONAI's schedulers call a network's prediction.
_MONAI_PREDICTION: dict[Prediction, str] = {
    "noise": "epsilon",
    "velocity": "v_prediction",
    "clean": "sample",
}


class BundleCard(BaseModel, ABC):
    """What bundles of every kind say; a kind is a subclass that fixes `kind` and names its networks.

    Attributes:
        kind: what the networks are for.
        bundle_format: of this layout.
        name: short, for tables and file names.
        version: of the weights, as the trainer counts.
        description: a sentence or two for a reader.
        authors: of the weights.
        data_source: where the training data come from, with their licence.
        licence: of the weights.
        window_hu: lowest and highest HU that the networks see.
        image_size: side in pixels of the slices trained on.
        spacing_mm: smallest and largest pixel spacing trained on; None where it was not recorded.
        training: record of the training, or of the conversion.
        sha256: of each network's weights file; `write_bundle` fills it in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: ClassVar[str]
    """Which of `resample-ct reconstruct`'s methods runs the bundle."""

    option: ClassVar[str] = "prior"
    """The bundle's name in `resample_ct.bundles.kinds.BUNDLES`."""

    @classmethod
    def shipped(cls) -> Path:
        """The bundle of this kind that comes with the package."""
        return Path(__file__).parents[1] / "prior" / "shipped" / cls.option

    kind: str
    bundle_format: Literal[2] = FORMAT_VERSION
    name: str
    version: str = "1.0.0"
    description: str
    authors: str
    data_source: str
    licence: str
    window_hu: tuple[float, float] = (Window().lower, Window().upper)
    image_size: PositiveInt = 256
    spacing_mm: tuple[PositiveFloat, PositiveFloat] | None = None
    training: dict[str, Any] = {}
    sha256: dict[str, str] = {}

    @property
    @abstractmethod
    def networks(self) -> dict[str, NetworkSettings]:
        """Settings of each network; its weights are `models/<name>.pt`."""

    @property
    @abstractmethod
    def data_formats(self) -> dict[str, Any]:
        """MONAI's description of what networks take and give; network_def's is network_data_format."""

    @property
    def inference(self) -> dict[str, Any]:
        """Further components of the MONAI config `inference.json`."""
        return {}

    @property
    def window(self) -> Window:
        """The HU window."""
        return Window(*self.window_hu)

    @model_validator(mode="after")
    def _check(self) -> BundleCard:
        Window(*self.window_hu)
        if self.spacing_mm is not None and self.spacing_mm[0] > self.spacing_mm[1]:
            raise ValueError(f"spacing_mm: found {self.spacing_mm}, expected ascending numbers")
        return self


class ScheduleSettings(BaseModel):
    """The settings of a `NoiseSchedule`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train_steps: PositiveInt = NoiseSchedule.train_steps
    beta_start: PositiveFloat = NoiseSchedule.beta_start
    beta_end: PositiveFloat = NoiseSchedule.beta_end

    def build(self) -> NoiseSchedule:
        """The schedule."""
        return NoiseSchedule(self.train_steps, self.beta_start, self.beta_end)


class LatentPriorCard(BundleCard):
    """The card of a latent diffusion model: an autoencoder, and a UNet that tells its latents from noise.

    Attributes:
        autoencoder: E and D.
        unet: on the latents.
        latent_scale: latents are divided by it, so that they have unit standard deviation.
        quantise: whether D moves latents to the codebook first, where the autoencoder has one.
        schedule: of the noise.
        prediction: what the UNet gives: the noise, as the released models, the velocity, or z_0.
    """

    method: ClassVar[str] = "resample"

    kind: Literal["latent-prior"] = "latent-prior"
    autoencoder: Annotated[
        AutoencoderSettings | VQAutoencoderSettings, Field(discriminator="architecture")
    ]
    unet: UNetSettings
    latent_scale: PositiveFloat
    quantise: bool = True
    schedule: ScheduleSettings = ScheduleSettings()
    prediction: Prediction = "noise"

    @property
    def networks(self) -> dict[str, NetworkSettings]:
        """The autoencoder and the UNet."""
        return {"autoencoder": self.autoencoder, "unet": self.unet}

    @property
    def data_formats(self) -> dict[str, Any]:
        """Slices for the autoencoder, latents for the UNet."""
        channels = self.autoencoder.image_channels
        image = tensor_format("image", channels, self.image_size, [-1.0, 1.0])
        side = self.image_size // 2 ** (len(self.autoencoder.channels) - 1)
        latent = tensor_format("noise", self.unet.latent_channels, side, [-10.0, 10.0])
        return {
            "network_data_format": {
                "inputs": {"image": latent},
                "outputs": {"pred": latent | {"channel_def": {"0": f"predicted {self.prediction}"}}},
            },
            "autoencoder_data_format": {
                "inputs": {"image": image},
                "outputs": {"pred": image | {"channel_def": {"0": "CT slice"}}},
            },
        }

    @property
    def inference(self) -> dict[str, Any]:
        """MONAI's own sampler, which draws slices without a measurement: `sample`."""
        side = self.image_size // 2 ** (len(self.autoencoder.channels) - 1)
        shape = (1, self.unet.latent_channels, side, side)
        return {
            "network_def": "@unet_def",
            "scheduler": {
                "_target_": "monai.networks.schedulers.DDIMScheduler",
                "num_train_timesteps": self.schedule.train_steps,
                "schedule": "scaled_linear_beta",
                "beta_start": self.schedule.beta_start,
                "beta_end": self.schedule.beta_end,
                "clip_sample": False,
                "prediction_type": _MONAI_PREDICTION[self.prediction],
            },
            "sampling_steps": 50,
            "set_timesteps": "$@scheduler.set_timesteps(@sampling_steps)",
            "inferer": {
                "_target_": "monai.inferers.LatentDiffusionInferer",
                "_requires_": ["@set_timesteps"],
                "scheduler": "@scheduler",
                "scale_factor": 1.0 / self.latent_scale,
            },
            "noise": f"$torch.randn({shape}).to(@device)",
            "sample": "$@inferer.sample(@noise, @autoencoder, @unet, @scheduler, verbose=False)",
        }


def tensor_format(kind: str, channels: int, side: int, value_range: list[float]) -> dict[str, Any]:
    """MONAI's description of a square 2D tensor in single precision."""
    return {
        "type": kind,
        "format": "image",
        "num_channels": channels,
        "spatial_shape": [side, side],
        "dtype": "float32",
        "value_range": value_range,
        "is_patch_data": False,
    }


def slice_formats(takes: str, side: int) -> dict[str, Any]:
    """MONAI's description of a network from an image in [0, 1], `takes` in words, to the slice."""
    image = tensor_format("image", 1, side, [0.0, 1.0])
    return {
        "network_data_format": {
            "inputs": {"image": image | {"channel_def": {"0": takes}}},
            "outputs": {"pred": image | {"channel_def": {"0": "CT slice"}}},
        }
    }
