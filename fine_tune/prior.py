"""Train a whole prior from studies: the autoencoder, its latents, the UNet, the bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from monai.networks.nets import AutoencoderKL

from fine_tune.augment import augmented_batch
from fine_tune.autoencoder import train_autoencoder
from fine_tune.dataset import balanced, read_patients, split_by_patient
from fine_tune.loop import LoopSettings, generator_of_step
from fine_tune.unet import train_unet
from resample_ct.prior.bundle import half_precision, write_bundle
from resample_ct.prior.card import LatentPriorCard
from resample_ct.prior.networks import AutoencoderSettings, UNetSettings
from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.progress import Update
from resample_ct.units import Window, from_network, to_network

_LATENT_SEED_OFFSET = 7_777


@dataclass(frozen=True)
class PriorTraining:
    """What to train on and for how long.

    Attributes:
        data: folders of DICOM studies.
        out: the new bundle; checkpoints lie beside it in `<out>.training`.
        name: of the prior.
        held_out: PatientIDs to validate on.
        autoencoder_steps: of its training.
        unet_steps: of its training.
        seed: of every random number.
        augmented_slices: latents of so many augmented slices are encoded once and drawn from.
    """

    data: tuple[Path, ...]
    out: Path
    name: str
    held_out: tuple[str, ...]
    autoencoder_steps: int
    unet_steps: int
    seed: int
    augmented_slices: int = 1024


def encode_augmented(
    slices: torch.Tensor, autoencoder: AutoencoderKL, count: int, seed: int
) -> torch.Tensor:
    """Unscaled latents (count, C, 64, 64) of augmented whole slices, eight at a time."""
    side = slices.shape[-1]
    latents = []
    with torch.no_grad():
        for step in range(count // 8):
            generator = generator_of_step(seed + _LATENT_SEED_OFFSET, step)
            crops = augmented_batch(slices, 8, side, generator)
            latents.append(autoencoder.encode(to_network(crops))[0])
    return torch.cat(latents)


def ceiling(slices: torch.Tensor, autoencoder: AutoencoderKL) -> float:
    """Mean PSNR in dB of D(E(x)): no reconstruction through this autoencoder can be above it."""
    values = []
    with torch.no_grad():
        for x in slices.split(4):
            y = from_network(autoencoder.decode(autoencoder.encode(to_network(x))[0])).clamp(0, 1)
            values.append(-10 * (x - y).square().mean(dim=(1, 2, 3)).log10())
    return float(torch.cat(values).mean())


def train_prior(training: PriorTraining, say: Callable[[str], None], progress: Update) -> None:
    """Train and write the bundle; an interrupted call continues where its checkpoints end."""
    window = Window()
    patients = read_patients(training.data, window)
    train, validation = split_by_patient(patients, training.held_out)
    slices = balanced(train)
    say(f"{len(slices)} slices of {len(train)} patients, {len(validation)} held out")
    work = training.out.with_name(training.out.name + ".training")
    work.mkdir(parents=True, exist_ok=True)

    def report(label: str, steps: int) -> Callable[[int, float], None]:
        return lambda step, loss: progress(step, steps, f"{label}, loss {loss:.4f}")

    autoencoder_settings, unet_settings = AutoencoderSettings(), UNetSettings()
    autoencoder_loop = LoopSettings(
        steps=training.autoencoder_steps,
        learning_rate=1e-3,
        checkpoint_every=50,
        seed=training.seed,
    )
    autoencoder = train_autoencoder(
        slices,
        autoencoder_settings,
        autoencoder_loop,
        work / "autoencoder.pt",
        report("autoencoder", training.autoencoder_steps),
    )
    held = torch.cat([p.slices for p in validation])
    psnr = ceiling(held, autoencoder)
    say(f"autoencoder: D(E(x)) {psnr:.2f} dB on the held-out patients")
    latents = encode_augmented(slices, autoencoder, training.augmented_slices, training.seed)
    scale = float(latents.std())
    unet_loop = LoopSettings(
        steps=training.unet_steps, learning_rate=5e-4, checkpoint_every=50, seed=training.seed
    )
    unet = train_unet(
        latents / scale,
        unet_settings,
        NoiseSchedule(),
        unet_loop,
        work / "unet.pt",
        report("UNet", training.unet_steps),
    )
    card = LatentPriorCard(
        name=training.name,
        description="Latent diffusion prior of CT slices, trained from scratch.",
        authors="Whoever ran the training",
        data_source=", ".join(folder.name for folder in training.data),
        licence="To be stated by whoever trained it; the data's licence may bind.",
        window_hu=(window.lower, window.upper),
        autoencoder=autoencoder_settings,
        unet=unet_settings,
        latent_scale=scale,
        training={
            "patients": [p.patient for p in train],
            "held_out": [p.patient for p in validation],
            "autoencoder_loop": asdict(autoencoder_loop),
            "unet_loop": asdict(unet_loop),
            "autoencoder_psnr_held_out": round(psnr, 2),
        },
    )
    weights = {"autoencoder": half_precision(autoencoder), "unet": half_precision(unet)}
    write_bundle(training.out, card, weights)
    say(f"{training.out}: written; checkpoints in {work} can be deleted")
