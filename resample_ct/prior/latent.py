"""The latent prior as reconstruction sees it: encode, decode, predict the noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from monai.networks.nets import AutoencoderKL
from torch import nn

from resample_ct.errors import PriorError
from resample_ct.networks.precision import Precision, network_precision
from resample_ct.networks.vq_autoencoder import VQAutoencoder
from resample_ct.prior.schedule import NoiseSchedule, Prediction
from resample_ct.values.units import Window, from_network, to_network

# Organs look a third larger or smaller than any that the model has seen.
_SPACING_MARGIN = 1.33


@dataclass(frozen=True)
class LatentPrior:
    """A latent diffusion model of CT slices.

    Images are (B, 1, H, W) relative attenuation; latents are (B, C, H/4, W/4) for the shipped and
    the released models, divided by `scale` so that they have unit standard deviation over the
    training slices.

    Attributes:
        autoencoder: MONAI's AutoencoderKL, of which only the mean is used, or a VQAutoencoder.
        unet: predicts the noise, the velocity or what is clean, on scaled latents.
        scale: of the latents.
        schedule: of the noise.
        window: HU window of the images.
        name: of the bundle.
        sha256: of its weights.
        image_channels: that the autoencoder has; a slice is repeated in each, and their mean taken.
        quantise: whether D moves latents to the nearest code first, where there is a codebook.
        image_size: side of the slices trained on.
        spacing_mm: smallest and largest pixel spacing trained on, where it was recorded.
        precision: that the networks compute in.
        prediction: what the UNet gives, see `NoiseSchedule.noise_of`.
    """

    autoencoder: AutoencoderKL | VQAutoencoder
    unet: nn.Module
    scale: float
    schedule: NoiseSchedule
    window: Window
    name: str
    sha256: str
    image_channels: int = 1
    quantise: bool = True
    image_size: int = 256
    spacing_mm: tuple[float, float] | None = None
    precision: Precision = "float32"
    prediction: Prediction = "noise"

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.autoencoder.parameters()).device

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """E(x): image in [0, 1] to scaled latent, not quantised."""
        channels = to_network(image).expand(-1, self.image_channels, -1, -1)
        with network_precision(self.precision, channels):
            latent: torch.Tensor = self.autoencoder.encode(channels)[0]
        return latent.to(image) / self.scale

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """D(z): scaled latent to image; not clipped, so that gradients flow everywhere."""
        return self.decode_channels(latent).mean(dim=1, keepdim=True)

    def decode_channels(self, latent: torch.Tensor) -> torch.Tensor:
        """D(z) before its channels are averaged, (B, image_channels, H, W)."""
        latent = latent * self.scale
        channels: torch.Tensor
        with network_precision(self.precision, latent):
            if isinstance(self.autoencoder, VQAutoencoder):
                channels = self.autoencoder.decode(latent, self.quantise)
            else:
                channels = self.autoencoder.decode(latent)
        return from_network(channels.to(latent))

    def predict_noise(self, latent: torch.Tensor, t: int) -> torch.Tensor:
        """eps_theta(z_t, t)."""
        times = torch.full((latent.shape[0],), t, device=latent.device)
        with network_precision(self.precision, latent):
            predicted: torch.Tensor = self.unet(latent, times).to(latent)
        return self.schedule.noise_of(self.prediction, latent, predicted, t)

    def notes_on(self, image_size: int, spacing_mm: float) -> list[str]:
        """What a user should know before this prior reconstructs slices of such pixels.

        Raises PriorError for slices of another size than it was trained on.
        """
        if image_size != self.image_size:
            raise PriorError(
                f"prior {self.name}: trained on {self.image_size} x {self.image_size} slices, expected "
                f"{image_size} x {image_size}; fine-tune one at that size"
            )
        if self.spacing_mm is None:
            return []
        low, high = self.spacing_mm
        if low / _SPACING_MARGIN <= spacing_mm <= high * _SPACING_MARGIN:
            return []
        return [
            f"prior {self.name} was trained on pixels of {low:g} to {high:g} mm, and these are of "
            f"{spacing_mm:g} mm: anatomy is larger or smaller than it has seen"
        ]
