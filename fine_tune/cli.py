"""`resample-ct fine-tune`: parse and call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from resample_ct.command import Group, option
from resample_ct.commands.job_options import device_option, seed_option, together

if TYPE_CHECKING:
    from fine_tune.run import Run
    from resample_ct.bundles.card import BundleCard

Card = TypeVar("Card", bound="BundleCard")


class _PriorByDefault(Group):
    """`fine-tune --data ...` is `fine-tune prior --data ...`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["prior", *args]
        return super().parse_args(ctx, args)


@click.group("fine-tune", cls=_PriorByDefault)
def fine_tune() -> None:
    """Train the prior (the default), or FBP-UNet, on your own studies.

    The same command again continues an interrupted run. `torchrun --nproc-per-node 2 -m resample_ct
    fine-tune ...` trains on several GPUs or processes.
    """


_training_options = together(
    option(
        "Data",
        "--data",
        multiple=True,
        required=True,
        type=click.Path(exists=True, path_type=Path),
        help="Folder of DICOM or NIfTI studies, or the AAPM LDCT collection; repeat for several.",
    ),
    option("Output", "--out", required=True, type=click.Path(path_type=Path), help="New bundle."),
    option("Output", "--name", default="local", help="Of the bundle."),
    option("Output", "--bundle-version", default="1.0.0", help="Of that name."),
    option("Output", "--authors", default="not stated", help="Who answers for the weights."),
    option("Output", "--data-source", default="not stated", help="With its licence."),
    option("Output", "--licence", default="not stated", help="Of the weights."),
    option(
        "Data",
        "--split",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Which patients train: read if it exists, else written.  [default: beside --out]",
    ),
    option("Data", "--hold-out", help="PatientIDs to validate on, as A,B.  [default: drawn with --seed]"),
    option(
        "Data",
        "--train-slices",
        default=2000,
        type=click.IntRange(1),
        help="Most slices to train on.",
    ),
    option(
        "Data",
        "--validation-slices",
        default=300,
        type=click.IntRange(1),
        help="Most slices to judge by.",
    ),
    option("Data", "--strict", is_flag=True, help="Refuse data of which a series cannot be used."),
    option(
        "Data",
        "--anatomy",
        default=0.0,
        type=click.FloatRange(0, 1),
        help="Share of schematic slices, drawn from random numbers, among the draws.",
    ),
    option("Training", "--steps", default=1000, type=click.IntRange(1), help="Of the optimiser."),
    option(
        "Training",
        "--learning-rate",
        type=click.FloatRange(0, min_open=True),
        default=1e-5,
        help="Of AdamW, at its highest.",
    ),
    option(
        "Training",
        "--decay",
        type=click.Choice(["cosine", "constant"]),
        default="constant",
        help="How the learning rate falls after its first steps.",
    ),
    option(
        "Training",
        "--batch",
        default=8,
        type=click.IntRange(1),
        help="Slices a step, over all processes.",
    ),
    option(
        "Computing",
        "--accumulate",
        default=1,
        type=click.IntRange(1),
        help="Parts that a batch is computed in, one after another, to take less memory.",
    ),
    option(
        "Computing",
        "--precision",
        type=click.Choice(["float32", "bfloat16"]),
        default="float32",
        help="Of the forward pass.",
    ),
    option(
        "Training",
        "--ema",
        default=0.995,
        type=click.FloatRange(0, 1),
        help="Of the weights' moving average, which is what is written.",
    ),
    option(
        "Training",
        "--validate-every",
        default=100,
        type=click.IntRange(0),
        help="Steps; 0 judges the network only once it is trained.",
    ),
    option(
        "Training",
        "--patience",
        default=0,
        type=click.IntRange(0),
        help="Validations without a better one that end the training; 0 never does.",
    ),
    option(
        "Training",
        "--checkpoint-every",
        default=50,
        type=click.IntRange(1),
        help="Steps, which is what an interruption can lose.",
    ),
    seed_option,
    device_option,
)


def _run(options: dict[str, Any]) -> Run:
    """The options that every training shares, as a `Run`."""
    from fine_tune.loop import LoopSettings
    from fine_tune.run import Run
    from resample_ct.device import check_device

    check_device(options["device"])
    hold_out = options["hold_out"]
    return Run(
        data=options["data"],
        out=options["out"],
        name=options["name"],
        version=options["bundle_version"],
        authors=options["authors"],
        data_source=options["data_source"],
        licence=options["licence"],
        split=options["split"] or options["out"].with_name(options["out"].name + ".split.json"),
        held_out=tuple(hold_out.split(",")) if hold_out else None,
        train_slices=options["train_slices"],
        validation_slices=options["validation_slices"],
        strict=options["strict"],
        anatomy=options["anatomy"],
        device=options["device"],
        loop=LoopSettings(
            steps=options["steps"],
            learning_rate=options["learning_rate"],
            batch=options["batch"],
            seed=options["seed"],
            decay=options["decay"],
            ema_decay=options["ema"],
            accumulate=options["accumulate"],
            precision=options["precision"],
            checkpoint_every=options["checkpoint_every"],
            validate_every=options["validate_every"],
            patience=options["patience"],
        ),
    )


@fine_tune.command()
@_training_options
@option(
    "Network",
    "--init",
    default="shipped",
    help="Weights to start from: shipped, scratch, a bundle, or a checkpoint that `convert` reads.",
)
@option(
    "Network",
    "--train",
    "part",
    type=click.Choice(["unet", "autoencoder", "decoder", "both"]),
    default="unet",
    help="Which network; the decoder alone leaves the latents as the UNet knows them.",
)
@option(
    "Network",
    "--low-rank",
    default=0,
    type=click.IntRange(0),
    help="Rank of LoRA's updates; 0 trains every weight.",
)
@option("Network", "--recompute", is_flag=True, help="Less memory: compute activations twice.")
@option(
    "Network",
    "--predict",
    type=click.Choice(["noise", "velocity", "clean"]),
    help="What the UNet learns to give; not that of --init is nearly a new start.  [default: as --init]",
)
def prior(init: str, part: Any, low_rank: int, recompute: bool, predict: Any, **options: Any) -> None:
    """Train the latent diffusion prior; the defaults are the paper's learning rate and FFHQ's batch."""
    from fine_tune.prior import PriorTraining, train_prior
    from resample_ct.progress import progress_bar

    training = PriorTraining(
        run=_run(options),
        init=init,
        part=part,
        low_rank=low_rank,
        recompute=recompute,
        prediction=predict,
    )
    with progress_bar() as progress:
        train_prior(training, click.echo, progress)


@fine_tune.command("fbp-unet")
@_training_options
@option("Network", "--init", default="scratch", help="scratch, shipped, or an FBP-UNet bundle.")
@option("Network", "--angles", default=25, type=click.IntRange(2), help="Views that it is for.")
@option(
    "Network",
    "--sigma",
    default=0.01,
    type=click.FloatRange(0),
    help="Gaussian noise, as of `simulate --noise gaussian:SIGMA`.",
)
def fbp_unet(init: str, angles: int, sigma: float, **options: Any) -> None:
    """Train FBP-UNet for a number of views and a noise."""
    from fine_tune.fbp_unet import train_fbp_unet
    from resample_ct.progress import progress_bar

    with progress_bar() as progress:
        train_fbp_unet(_run(options), init, angles, sigma, click.echo, progress)


@fine_tune.command()
@_training_options
@option(
    "Network",
    "--init",
    default="scratch",
    help="scratch, shipped, a refiner's bundle, or an FBP-UNet's, whose network it then starts from.",
)
@option(
    "Network", "--fbp-unet", type=click.Path(path_type=Path), help="The first network; default: shipped."
)
def refiner(init: str, fbp_unet: Path | None, **options: Any) -> None:
    """Train the second network of `cascade`, behind an FBP-UNet and for its views and noise."""
    from fine_tune.refiner import train_refiner
    from resample_ct.progress import progress_bar

    with progress_bar() as progress:
        train_refiner(_run(options), init, fbp_unet, click.echo, progress)


@fine_tune.command()
@_training_options
@option(
    "Network",
    "--init",
    default="scratch",
    help="scratch, shipped, a pixel prior's bundle, or a latent prior's, whose inner layers it then has.",
)
def pixel(init: str, **options: Any) -> None:
    """Train the pixel-space diffusion prior of DPS, MCG, DDRM, DMPS and DDS."""
    from fine_tune.pixel import train_pixel_prior
    from resample_ct.progress import progress_bar

    with progress_bar() as progress:
        train_pixel_prior(_run(options), init, click.echo, progress)


@fine_tune.command()
@_training_options
@option("Network", "--init", default="scratch", help="scratch, shipped, or a denoiser's bundle.")
@option(
    "Network",
    "--network",
    type=click.Choice(["dncnn", "unet"]),
    default="dncnn",
    help="Of ADMM-PnP, or of PnP-UNet.",
)
@option(
    "Network",
    "--sigma",
    default=0.05,
    type=click.FloatRange(0, min_open=True),
    help="Noise to remove, of relative attenuation.",
)
def denoiser(init: str, network: str, sigma: float, **options: Any) -> None:
    """Train the denoiser of ADMM-PnP or PnP-UNet for one noise level."""
    from fine_tune.denoiser import train_denoiser
    from resample_ct.bundles.denoiser import DnCNNCard, UNetDenoiserCard
    from resample_ct.progress import progress_bar

    kind = DnCNNCard if network == "dncnn" else UNetDenoiserCard
    with progress_bar() as progress:
        train_denoiser(_run(options), init, kind, sigma, click.echo, progress)
