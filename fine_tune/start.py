"""Where a training of the prior starts from: the shipped one, nothing, a bundle or a checkpoint."""

from __future__ import annotations

from pathlib import Path

from resample_ct.bundles.bundle import read_bundle, read_card
from resample_ct.bundles.card import LatentPriorCard
from resample_ct.bundles.compvis.convert import convert_checkpoint
from resample_ct.errors import OptionError
from resample_ct.networks.settings import AutoencoderSettings, UNetSettings
from resample_ct.prior.latent import LatentPrior
from resample_ct.prior.schedule import NoiseSchedule
from resample_ct.values.units import Window


def starting_prior(init: str, work: Path, device: str) -> tuple[LatentPriorCard, LatentPrior]:
    """The prior to train further, and its card.

    Args:
        init: "shipped", "scratch" for new networks from torch's global generator, a bundle's folder,
            or a checkpoint that `convert` reads.
        work: where a converted checkpoint is kept, so that a resumed run need not convert it again.
        device: of torch.

    Raises:
        OptionError: none of these.
        PriorError: a bundle or checkpoint that cannot be read.
    """
    if init == "scratch":
        return _new_prior(device)
    path = LatentPriorCard.shipped() if init == "shipped" else Path(init)
    if path.is_file():
        # Named after the file, and of this very file: another --init finds nothing here.
        converted = work / f"converted-{path.stat().st_size}-{path.stat().st_mtime_ns}" / path.stem
        if not converted.exists():
            converted.parent.mkdir(parents=True, exist_ok=True)
            convert_checkpoint(path, converted)
        path = converted
    if not path.is_dir():
        raise OptionError(
            f"--init {init}: no such file or folder, expected shipped, scratch, a bundle or a .ckpt file"
        )
    return read_card(path, LatentPriorCard, option="init"), read_bundle(path, device)


def _new_prior(device: str) -> tuple[LatentPriorCard, LatentPrior]:
    card = LatentPriorCard(
        name="scratch",
        description="Latent diffusion prior of CT slices, trained from scratch.",
        authors="",
        data_source="",
        licence="",
        autoencoder=AutoencoderSettings(),
        unet=UNetSettings(),
        latent_scale=1.0,
    )
    return card, LatentPrior(
        autoencoder=card.autoencoder.build().to(device),
        unet=card.unet.build().to(device),
        scale=card.latent_scale,
        schedule=NoiseSchedule(),
        window=Window(),
        name=card.name,
        sha256="",
    )
