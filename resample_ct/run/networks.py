"""The trained networks that a job runs: read once, and named in everything that they made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from resample_ct.bundles.bundle import read_bundle
from resample_ct.bundles.denoiser import DnCNNCard, UNetDenoiserCard, read_denoiser
from resample_ct.bundles.pixel_prior import read_pixel_prior
from resample_ct.errors import OptionError
from resample_ct.networks.denoiser import Denoiser
from resample_ct.prior.latent import LatentPrior
from resample_ct.prior.pixel import PixelPrior
from resample_ct.reconstruct.cascade import Refiner, read_refiner
from resample_ct.reconstruct.fbp_unet import FBPUNet, read_fbp_unet
from resample_ct.reconstruct.methods import (
    NEEDS_PIXEL_PRIOR,
    NEEDS_PRIOR,
    MethodOptions,
    needs_fbp_unet,
    needs_refiner,
)
from resample_ct.run.job import Job
from resample_ct.values.units import Window

Model = LatentPrior | FBPUNet | Refiner | PixelPrior | Denoiser


@dataclass(frozen=True)
class Models:
    """Networks by the job's needs; None where no method runs it."""

    prior: LatentPrior | None
    fbp_unet: FBPUNet | None
    pixel_prior: PixelPrior | None = None
    dncnn: Denoiser | None = None
    unet_denoiser: Denoiser | None = None
    refiner: Refiner | None = None

    @property
    def named(self) -> dict[str, Model]:
        """Those that were read, by the option that names their bundle."""
        models: dict[str, Model | None] = {
            "prior": self.prior,
            "fbp-unet": self.fbp_unet,
            "refiner": self.refiner,
            "pixel-prior": self.pixel_prior,
            "dncnn": self.dncnn,
            "unet-denoiser": self.unet_denoiser,
        }
        return {name: model for name, model in models.items() if model is not None}

    @property
    def window(self) -> Window | None:
        """The HU window that all of them were trained for.

        Raises OptionError where they differ.
        """
        windows = {model.window for model in self.named.values()}
        if len(windows) > 1:
            raise OptionError(
                f"--{', --'.join(self.named)}: trained for HU windows {windows}, expected one; "
                "fine-tune one of them for the other's window, or choose other methods"
            )
        return next(iter(windows), None)

    def notes_on(self, image_size: int, spacing_mm: float) -> list[str]:
        """What to know before they reconstruct slices of such pixels; PriorError for an unfit size."""
        return [] if self.prior is None else self.prior.notes_on(image_size, spacing_mm)

    def options(self, job: Job) -> MethodOptions:
        """What the job's methods are built from."""
        return MethodOptions(
            self.prior,
            job.settings,
            job.fbp_filter,
            self.fbp_unet,
            self.pixel_prior,
            self.dncnn,
            self.unet_denoiser,
            self.refiner,
        )

    def behind(self, job: Job, method: str) -> dict[str, Model]:
        """The networks that one method runs, by what they are."""
        needed = _needed(job, [method])
        return {name: model for name, model in self.named.items() if name in needed}

    def record(self) -> dict[str, dict[str, str]]:
        """Name and hash of each, for the record of the run."""
        return {kind: {"name": model.name, "sha256": model.sha256} for kind, model in self.named.items()}


def _needed(job: Job, methods: Iterable[str]) -> set[str]:
    """The options whose bundles these methods run."""
    chosen = set(methods)
    needs = {
        "prior": bool(chosen & NEEDS_PRIOR),
        "fbp-unet": needs_fbp_unet(chosen, job.settings),
        "refiner": needs_refiner(chosen, job.settings),
        "pixel-prior": bool(chosen & NEEDS_PIXEL_PRIOR),
        "dncnn": "admm-pnp" in chosen,
        "unet-denoiser": "pnp-unet" in chosen,
    }
    return {name for name, needed in needs.items() if needed}


def read_models(job: Job) -> Models:
    """Read what the job's methods need. Raises PriorError for a bundle that cannot be used."""
    device, needed = job.device, _needed(job, job.methods)
    prior = read_bundle(job.prior, device) if "prior" in needed else None
    fbp_unet = read_fbp_unet(job.fbp_unet, device) if "fbp-unet" in needed else None
    refiner = read_refiner(job.refiner, device) if "refiner" in needed else None
    return Models(
        prior=None if prior is None else replace(prior, precision=job.precision),
        fbp_unet=None if fbp_unet is None else replace(fbp_unet, precision=job.precision),
        pixel_prior=read_pixel_prior(job.pixel_prior, device) if "pixel-prior" in needed else None,
        dncnn=read_denoiser(DnCNNCard, job.dncnn, device) if "dncnn" in needed else None,
        unet_denoiser=(
            read_denoiser(UNetDenoiserCard, job.unet_denoiser, device)
            if "unet-denoiser" in needed
            else None
        ),
        refiner=None if refiner is None else replace(refiner, precision=job.precision),
    )
