"""The trained networks that a job runs: read once, and named in everything that they made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from resample_ct.bundles.kinds import BUNDLES
from resample_ct.errors import OptionError
from resample_ct.networks.precision import Precision
from resample_ct.networks.slice_unet import SliceUNet
from resample_ct.prior.latent import LatentPrior
from resample_ct.reconstruct.base import Reconstructor
from resample_ct.reconstruct.methods import MethodOptions, build_methods, method_named
from resample_ct.run.job import Job
from resample_ct.values.units import Window


class Network(Protocol):
    """What every network says of itself."""

    @property
    def name(self) -> str:
        """Name of the bundle that the network came from."""

    @property
    def sha256(self) -> str:
        """Hash of the network's weights."""

    @property
    def window(self) -> Window:
        """HU window that it was trained for."""


@dataclass(frozen=True)
class Models:
    """The networks of a job by the name of their bundle's kind, see `BUNDLES`."""

    named: Mapping[str, Network]

    @property
    def prior(self) -> LatentPrior | None:
        """The latent prior, where a method runs it."""
        found = self.named.get("prior")
        assert found is None or isinstance(found, LatentPrior)
        return found

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

    def methods(self, job: Job) -> dict[str, Reconstructor]:
        """The job's methods by name, in its order."""
        return build_methods(job.methods, self.named, options_of(job))

    def behind(self, job: Job, method: str) -> dict[str, Network]:
        """The networks that one method runs, by what they are."""
        needed = method_named(method).needs_with(options_of(job))
        return {name: model for name, model in self.named.items() if name in needed}

    def record(self) -> dict[str, dict[str, str]]:
        """Name and hash of each, for the record of the run."""
        return {kind: {"name": model.name, "sha256": model.sha256} for kind, model in self.named.items()}


def options_of(job: Job) -> MethodOptions:
    """What the job tells its methods."""
    return MethodOptions(job.fbp_filter, job.settings)


def read_models(job: Job) -> Models:
    """Read what the job's methods need. Raises PriorError for a bundle that cannot be used."""
    options = options_of(job)
    needs = {need for name in job.methods for need in method_named(name).needs_with(options)}
    return Models(networks_of(needs, job.bundles, job.device, job.precision))


def networks_of(
    needs: Collection[str],
    bundles: Mapping[str, str | Path | Network],
    device: str,
    precision: Precision,
) -> dict[str, Network]:
    """Networks by the name of their bundle's kind.

    Args:
        needs: names of `BUNDLES`.
        bundles: the folder of each, or the network itself; the shipped one of those that are not named.
        device: where they are read to.
        precision: that they compute in.

    Raises:
        PriorError: a bundle that cannot be used.
    """
    found = {}
    for kind in BUNDLES.values():
        if kind.name in needs:
            given = bundles.get(kind.name)
            if given is None or isinstance(given, str | Path):
                given = kind.read(None if given is None else Path(given), device)
            found[kind.name] = _computing_in(precision, given)
    return found


def _computing_in(precision: Precision, network: Any) -> Any:
    """The network in a precision, where it knows more than one."""
    if isinstance(network, LatentPrior | SliceUNet):
        return replace(network, precision=precision)
    return network
