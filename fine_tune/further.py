"""Train a bundle of any kind further: what its `configs/train.json` runs under MONAI."""

from __future__ import annotations

from pathlib import Path

import click

from fine_tune.denoiser import train_denoiser
from fine_tune.fbp_unet import train_fbp_unet
from fine_tune.pixel import train_pixel_prior
from fine_tune.prior import PriorTraining, train_prior
from fine_tune.refiner import train_refiner
from fine_tune.run import Run
from resample_ct.bundles.bundle import read_card
from resample_ct.bundles.card import LatentPriorCard
from resample_ct.bundles.denoiser import DenoiserCard, DnCNNCard, UNetDenoiserCard
from resample_ct.bundles.fbp_unet import FBPUNetCard, read_fbp_unet
from resample_ct.bundles.pixel_prior import PixelPriorCard
from resample_ct.bundles.refiner import RefinerCard
from resample_ct.errors import OptionError
from resample_ct.progress import progress_bar

_KINDS = (LatentPriorCard, PixelPriorCard, FBPUNetCard, RefinerCard, DnCNNCard, UNetDenoiserCard)


def train_further(bundle: Path, run: Run) -> None:
    """Train a bundle further, as `resample-ct fine-tune --init BUNDLE` does; the result is a new bundle.

    Of a latent prior the UNet is trained; what else the command can do with one is left to the command.

    Args:
        bundle: whose networks are the start, and whose views and noise stay.
        run: data, output and length.

    Raises:
        ResampleCTError: as the trainings do; and for a refiner behind another FBP-UNet than the shipped.
    """
    card, init = read_card(bundle, *_KINDS, option="init"), str(bundle)
    with progress_bar() as progress:
        if isinstance(card, LatentPriorCard):
            train_prior(PriorTraining(run, init, "unet"), click.echo, progress)
        elif isinstance(card, PixelPriorCard):
            train_pixel_prior(run, init, click.echo, progress)
        elif isinstance(card, FBPUNetCard):
            train_fbp_unet(run, init, card.n_angles, card.sigma, click.echo, progress)
        elif isinstance(card, RefinerCard):
            if card.behind != read_fbp_unet().sha256:
                raise OptionError(
                    f"{bundle}: was trained behind FBP-UNet {card.behind[:12]}…, expected the shipped "
                    "one; give `resample-ct fine-tune refiner` both bundles"
                )
            train_refiner(run, init, None, click.echo, progress)
        elif isinstance(card, DenoiserCard):
            train_denoiser(run, init, type(card), card.sigma, click.echo, progress)
