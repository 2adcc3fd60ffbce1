"""The one list of methods, which the command line, the documents, the reports and the tests read.

A new method is a file in this folder and a line here (CONTRIBUTING.md). Nothing is imported before a
method is built, so that a list of names costs nothing; each method's class is also an attribute of this
module: `resample_ct.methods.TV(iterations=300)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from resample_ct.errors import OptionError

if TYPE_CHECKING:
    from resample_ct.reconstruct.base import Reconstructor
    from resample_ct.reconstruct.resample_settings import ReSampleSettings


def _balanced() -> ReSampleSettings:
    from resample_ct.reconstruct.resample_settings import settings_from

    return settings_from("balanced")


@dataclass(frozen=True)
class MethodOptions:
    """What a run may tell its methods.

    Attributes:
        filter: FBP's.
        settings: ReSample's.
    """

    filter: str = "ramp"
    settings: ReSampleSettings = field(default_factory=_balanced)


@dataclass(frozen=True)
class Method:
    """One method by name.

    Attributes:
        name: what the command line and the records call it.
        title: what reports call it.
        summary: what it does, in a line.
        made_by: "module:class" in this folder, or a function of the class, that builds it.
        needs: names of `resample_ct.bundles.kinds.BUNDLES`, whose networks are its first arguments.
        takes: fields of `MethodOptions`, which are its arguments by keyword.
    """

    name: str
    title: str
    summary: str
    made_by: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()

    @property
    def class_name(self) -> str:
        """Name of the class that the method is an object of."""
        return self.made_by.partition(":")[2].partition(".")[0]

    def needs_with(self, options: MethodOptions) -> tuple[str, ...]:
        """The bundles that it needs, with those of ReSample's start."""
        start = options.settings.start if "settings" in self.takes else None
        return self.needs if start is None else (*self.needs, *start.needs)

    def build(self, networks: Mapping[str, Any], options: MethodOptions) -> Reconstructor:
        """The method, ready to run; raises OptionError where a network that it needs is missing."""
        needs = self.needs_with(options)
        for name in needs:
            if name not in networks:
                raise OptionError(f"method {self.name}: no {name}, expected a bundle; give --{name}")
        make = resolve_name(f"{__package__}.{self.made_by}")
        made: Reconstructor = make(
            *(networks[name] for name in needs), **{name: getattr(options, name) for name in self.takes}
        )
        return made


_METHODS = (
    Method("fbp", "FBP", "Filtered back-projection.", "classical:FBP", takes=("filter",)),
    Method("cgls", "CGLS", "Least squares by conjugate gradients, stopped early.", "classical:CGLS"),
    Method("sirt", "SIRT", "Simultaneous iterative reconstruction.", "classical:SIRT"),
    Method("tv", "TV", "Total variation, its weight set by the noise.", "classical:TV"),
    Method("fbp-unet", "FBP-UNet", "A UNet on the FBP.", "fbp_unet:FBPUNet", ("fbp-unet",)),
    Method(
        "cascade",
        "Cascade",
        "FBP-UNet, then rounds of a second UNet, each made consistent with the data.",
        "cascade:Cascade",
        ("fbp-unet", "refiner"),
    ),
    Method(
        "pnp-unet",
        "PnP-UNet",
        "Proximal gradient descent with a UNet as denoiser.",
        "pnp_unet:PnPUNet",
        ("unet-denoiser",),
    ),
    Method("admm-pnp", "ADMM-PnP", "ADMM with DnCNN as denoiser.", "admm_pnp:ADMMPnP", ("dncnn",)),
    Method("dps", "DPS", "Diffusion posterior sampling on pixels.", "dps:DPS", ("pixel-prior",)),
    Method("mcg", "MCG", "DPS with manifold-constrained gradients.", "mcg:MCG", ("pixel-prior",)),
    Method("ddrm", "DDRM", "Diffusion in the projector's spectrum.", "ddrm:DDRM", ("pixel-prior",)),
    Method("dmps", "DMPS", "Diffusion with a model of the likelihood.", "dmps:DMPS", ("pixel-prior",)),
    Method("dds", "DDS", "Diffusion with conjugate-gradient steps.", "dds:DDS", ("pixel-prior",)),
    Method("latent-dps", "Latent-DPS", "DPS on latents.", "latent_dps:LatentDPS", ("prior",)),
    Method("psld", "PSLD", "Latent DPS with a gluing gradient.", "psld:PSLD", ("prior",)),
    Method(
        "latent-daps",
        "Latent DAPS",
        "Annealed sampling on latents.",
        "latent_daps:LatentDAPS",
        ("prior",),
    ),
    Method(
        "resample",
        "ReSample",
        "Latent diffusion with hard data consistency: the paper's method.",
        "resample:ReSample.started",
        ("prior",),
        ("settings",),
    ),
)
METHODS: dict[str, Method] = {method.name: method for method in _METHODS}


def method_named(name: str) -> Method:
    """A method; raises OptionError for an unknown name."""
    if name not in METHODS:
        raise OptionError(f"--method {name}: unknown, expected one of {', '.join(METHODS)}")
    return METHODS[name]


def build_methods(
    names: Iterable[str], networks: Mapping[str, Any], options: MethodOptions
) -> dict[str, Reconstructor]:
    """Methods by name, in the order asked for; OptionError names an unknown one, or a missing network."""
    return {name: method_named(name).build(networks, options) for name in names}


def _classes() -> dict[str, str]:
    """Where each class is, by its name."""
    return {method.class_name: method.made_by.split(".")[0] for method in METHODS.values()}


def __getattr__(name: str) -> Any:
    """A method's class, imported when it is asked for."""
    try:
        return resolve_name(f"{__package__}.{_classes()[name]}")
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted([*globals(), *_classes()])
