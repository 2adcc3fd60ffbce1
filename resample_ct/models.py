"""The trained networks that a job runs: read once, and named in everything that they made."""

from __future__ import annotations

from dataclasses import dataclass

from resample_ct.errors import OptionError
from resample_ct.job import Job
from resample_ct.prior.bundle import read_bundle
from resample_ct.prior.latent import LatentPrior
from resample_ct.reconstruct.fbp_unet import FBPUNet, read_fbp_unet
from resample_ct.reconstruct.methods import NEEDS_PRIOR, MethodOptions, needs_fbp_unet
from resample_ct.units import Window


@dataclass(frozen=True)
class Models:
    """Networks by the job's needs; None where no method runs it."""

    prior: LatentPrior | None
    fbp_unet: FBPUNet | None

    @property
    def window(self) -> Window | None:
        """The HU window that all of them were trained for.

        Raises OptionError where they differ.
        """
        windows = {model.window for model in (self.prior, self.fbp_unet) if model is not None}
        if len(windows) > 1:
            raise OptionError(
                f"--prior, --fbp-unet: trained for HU windows {windows}, expected one and the same; "
                "fine-tune one of them for the other's window, or choose other methods"
            )
        return next(iter(windows), None)

    def notes_on(self, image_size: int, spacing_mm: float) -> list[str]:
        """What to know before they reconstruct slices of such pixels; PriorError for an unfit size."""
        return [] if self.prior is None else self.prior.notes_on(image_size, spacing_mm)

    def options(self, job: Job) -> MethodOptions:
        """What the job's methods are built from."""
        return MethodOptions(self.prior, job.settings, job.fbp_filter, self.fbp_unet)

    def behind(self, job: Job, method: str) -> dict[str, LatentPrior | FBPUNet]:
        """The networks that one method runs, by what they are."""
        found: dict[str, LatentPrior | FBPUNet] = {}
        if method in NEEDS_PRIOR and self.prior is not None:
            found["prior"] = self.prior
        if needs_fbp_unet([method], job.settings) and self.fbp_unet is not None:
            found["fbp-unet"] = self.fbp_unet
        return found

    def record(self) -> dict[str, dict[str, str]]:
        """Name and hash of each, for the record of the run."""
        models = {"prior": self.prior, "fbp-unet": self.fbp_unet}
        return {
            kind: {"name": model.name, "sha256": model.sha256}
            for kind, model in models.items()
            if model is not None
        }


def read_models(job: Job) -> Models:
    """Read what the job's methods need. Raises PriorError for a bundle that cannot be used."""
    needs_prior = any(name in NEEDS_PRIOR for name in job.methods)
    return Models(
        prior=read_bundle(job.prior, job.device) if needs_prior else None,
        fbp_unet=(
            read_fbp_unet(job.fbp_unet, job.device) if needs_fbp_unet(job.methods, job.settings) else None
        ),
    )
