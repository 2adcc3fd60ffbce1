"""The one list of methods: a name, and how it is built from what the command was given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from resample_ct.errors import OptionError
from resample_ct.prior.latent import LatentPrior
from resample_ct.reconstruct.base import Reconstructor
from resample_ct.reconstruct.classical import CGLS, FBP, SIRT, TV
from resample_ct.reconstruct.fbp_unet import FBPUNet, LearnedEstimate
from resample_ct.reconstruct.resample import ReSample
from resample_ct.reconstruct.resample_settings import PRESETS, ReSampleSettings


@dataclass(frozen=True)
class MethodOptions:
    """What a method may be built from."""

    prior: LatentPrior | None
    resample: ReSampleSettings = PRESETS["balanced"]
    fbp_filter: str = "ramp"
    fbp_unet: FBPUNet | None = None


def _resample(options: MethodOptions) -> Reconstructor:
    if options.prior is None:
        raise OptionError("--method resample: no prior, expected a bundle; give --prior")
    if options.resample.start_estimate == "tv":
        return ReSample(options.prior, options.resample)
    return ReSample(options.prior, options.resample, LearnedEstimate(_fbp_unet(options)))


def _fbp_unet(options: MethodOptions) -> FBPUNet:
    if options.fbp_unet is None:
        raise OptionError("--method fbp-unet: no network, expected a bundle; give --fbp-unet")
    return options.fbp_unet


METHODS: dict[str, Callable[[MethodOptions], Reconstructor]] = {
    "fbp": lambda options: FBP(options.fbp_filter),
    "cgls": lambda options: CGLS(),
    "sirt": lambda options: SIRT(),
    "tv": lambda options: TV(),
    "fbp-unet": _fbp_unet,
    "resample": _resample,
}
TITLES = {
    "fbp": "FBP",
    "cgls": "CGLS",
    "sirt": "SIRT",
    "tv": "TV",
    "fbp-unet": "FBP-UNet",
    "resample": "ReSample",
}
NEEDS_PRIOR = frozenset({"resample"})


def needs_fbp_unet(names: Iterable[str], settings: ReSampleSettings) -> bool:
    """Whether one of the methods runs FBP-UNet's network."""
    starts_there = settings.start is not None and settings.start_estimate == "fbp-unet"
    return "fbp-unet" in names or ("resample" in names and starts_there)


def build_methods(names: Iterable[str], options: MethodOptions) -> dict[str, Reconstructor]:
    """Methods by name, in the order asked for; OptionError names an unknown one."""
    built = {}
    for name in names:
        if name not in METHODS:
            raise OptionError(f"--method {name}: unknown, expected one of {', '.join(METHODS)}")
        built[name] = METHODS[name](options)
    return built
