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
        seconds: a slice takes about as long on two processor cores (docs/methods.md), by which the time
            that is left is told.
    """

    name: str
    title: str
    summary: str
    made_by: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    seconds: float = 1.0

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
    Method("fbp", "FBP", "Filtered back-projection.", "classical:FBP", takes=("filter",), seconds=0.02),
    Method(
        "cgls",
        "CGLS",
        "Least squares by conjugate gradients, stopped early.",
        "classical:CGLS",
        seconds=0.04,
    ),
    Method("sirt", "SIRT", "Simultaneous iterative reconstruction.", "classical:SIRT", seconds=0.1),
    Method("tv", "TV", "Total variation, its weight set by the noise.", "classical:TV", seconds=0.2),
    Method("fbp-unet", "FBP-UNet", "A UNet on the FBP.", "fbp_unet:FBPUNet", ("fbp-unet",), seconds=0.1),
    Method(
        "cascade",
        "Cascade",
        "FBP-UNet, then rounds of a second UNet, each made consistent with the data.",
        "cascade:Cascade",
        ("fbp-unet", "refiner"),
        seconds=0.9,
    ),
    Method(
        "pnp-unet",
        "PnP-UNet",
        "Proximal gradient descent with a UNet as denoiser.",
        "pnp_unet:PnPUNet",
        ("unet-denoiser",),
        seconds=2.4,
    ),
    Method(
        "admm-pnp",
        "ADMM-PnP",
        "ADMM with DnCNN as denoiser.",
        "admm_pnp:ADMMPnP",
        ("dncnn",),
        seconds=1.3,
    ),
    Method(
        "dps", "DPS", "Diffusion posterior sampling on pixels.", "dps:DPS", ("pixel-prior",), seconds=6.6
    ),
    Method(
        "mcg", "MCG", "DPS with manifold-constrained gradients.", "mcg:MCG", ("pixel-prior",), seconds=7.6
    ),
    Method(
        "ddrm",
        "DDRM",
        "Diffusion in the projector's spectrum.",
        "ddrm:DDRM",
        ("pixel-prior",),
        seconds=2.5,
    ),
    Method(
        "dmps",
        "DMPS",
        "Diffusion with a model of the likelihood.",
        "dmps:DMPS",
        ("pixel-prior",),
        seconds=6.5,
    ),
    Method(
        "dds", "DDS", "Diffusion with conjugate-gradient steps.", "dds:DDS", ("pixel-prior",), seconds=2.9
    ),
    Method(
        "latent-dps", "Latent-DPS", "DPS on latents.", "latent_dps:LatentDPS", ("prior",), seconds=18.9
    ),
    Method("psld", "PSLD", "Latent DPS with a gluing gradient.", "psld:PSLD", ("prior",), seconds=17.4),
    Method(
        "latent-daps",
        "Latent DAPS",
        "Annealed sampling on latents.",
        "latent_daps:LatentDAPS",
        ("prior",),
        seconds=17.1,
    ),
    Method(
        "resample",
        "ReSample",
        "Latent diffusion with hard data consistency: the paper's method.",
        "resample:ReSample.started",
        ("prior",),
        ("settings",),
        seconds=5,
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


def shares_of_time(names: Iterable[str]) -> dict[str, float]:
    """How long a slice takes by each of some methods, as a share of their mean."""
    seconds = {name: METHODS[name].seconds for name in names}
    mean = sum(seconds.values()) / len(seconds)
    return {name: value / mean for name, value in seconds.items()}
