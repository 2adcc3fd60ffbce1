"""The one list of methods: a name, and how it is built from what the command was given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from resample_ct.errors import OptionError
from resample_ct.networks.denoiser import Denoiser
from resample_ct.prior.latent import LatentPrior
from resample_ct.prior.pixel import PixelPrior
from resample_ct.reconstruct.admm_pnp import ADMMPnP
from resample_ct.reconstruct.base import Reconstructor
from resample_ct.reconstruct.cascade import Cascade, Refiner
from resample_ct.reconstruct.classical import CGLS, FBP, SIRT, TV
from resample_ct.reconstruct.ddrm import DDRM
from resample_ct.reconstruct.dds import DDS
from resample_ct.reconstruct.dmps import DMPS
from resample_ct.reconstruct.dps import DPS
from resample_ct.reconstruct.fbp_unet import ConsistentFBPUNet, FBPUNet
from resample_ct.reconstruct.latent_daps import LatentDAPS
from resample_ct.reconstruct.latent_dps import LatentDPS
from resample_ct.reconstruct.mcg import MCG
from resample_ct.reconstruct.pnp_unet import PnPUNet
from resample_ct.reconstruct.psld import PSLD
from resample_ct.reconstruct.resample import ReSample
from resample_ct.reconstruct.resample_settings import PRESETS, ReSampleSettings
from resample_ct.reconstruct.start import CascadeStart, FBPUNetStart


@dataclass(frozen=True)
class MethodOptions:
    """What a method may be built from."""

    prior: LatentPrior | None
    resample: ReSampleSettings = PRESETS["balanced"]
    fbp_filter: str = "ramp"
    fbp_unet: FBPUNet | None = None
    pixel_prior: PixelPrior | None = None
    dncnn: Denoiser | None = None
    unet_denoiser: Denoiser | None = None
    refiner: Refiner | None = None


Model = TypeVar("Model")


def _given(model: Model | None, what: str, option: str) -> Model:
    if model is None:
        raise OptionError(f"{option}: no {what}, expected a bundle; give {option}")
    return model


def _latent(options: MethodOptions) -> LatentPrior:
    return _given(options.prior, "prior", "--prior")


def _pixel(options: MethodOptions) -> PixelPrior:
    return _given(options.pixel_prior, "pixel prior", "--pixel-prior")


def _resample(options: MethodOptions) -> Reconstructor:
    return ReSample(_latent(options), options.resample, _start(options))


def _start(options: MethodOptions) -> Reconstructor | None:
    match options.resample.start:
        case FBPUNetStart():
            return ConsistentFBPUNet(_fbp_unet(options))
        case CascadeStart(rounds=rounds, flips=flips):
            return replace(_cascade(options), rounds=rounds, flips=flips)
        case _:
            return None


def _fbp_unet(options: MethodOptions) -> FBPUNet:
    return _given(options.fbp_unet, "network", "--fbp-unet")


def _cascade(options: MethodOptions) -> Cascade:
    return Cascade(_fbp_unet(options), _given(options.refiner, "network", "--refiner"))


METHODS: dict[str, Callable[[MethodOptions], Reconstructor]] = {
    "fbp": lambda options: FBP(options.fbp_filter),
    "cgls": lambda options: CGLS(),
    "sirt": lambda options: SIRT(),
    "tv": lambda options: TV(),
    "fbp-unet": _fbp_unet,
    "cascade": _cascade,
    "pnp-unet": lambda options: PnPUNet(_given(options.unet_denoiser, "denoiser", "--unet-denoiser")),
    "admm-pnp": lambda options: ADMMPnP(_given(options.dncnn, "denoiser", "--dncnn")),
    "dps": lambda options: DPS(_pixel(options)),
    "mcg": lambda options: MCG(_pixel(options)),
    "ddrm": lambda options: DDRM(_pixel(options)),
    "dmps": lambda options: DMPS(_pixel(options)),
    "dds": lambda options: DDS(_pixel(options)),
    "latent-dps": lambda options: LatentDPS(_latent(options)),
    "psld": lambda options: PSLD(_latent(options)),
    "latent-daps": lambda options: LatentDAPS(_latent(options)),
    "resample": _resample,
}
TITLES = {
    "fbp": "FBP",
    "cgls": "CGLS",
    "sirt": "SIRT",
    "tv": "TV",
    "fbp-unet": "FBP-UNet",
    "cascade": "Cascade",
    "pnp-unet": "PnP-UNet",
    "admm-pnp": "ADMM-PnP",
    "dps": "DPS",
    "mcg": "MCG",
    "ddrm": "DDRM",
    "dmps": "DMPS",
    "dds": "DDS",
    "latent-dps": "Latent-DPS",
    "psld": "PSLD",
    "latent-daps": "Latent DAPS",
    "resample": "ReSample",
}
NEEDS_PRIOR = frozenset({"resample", "latent-dps", "psld", "latent-daps"})
NEEDS_PIXEL_PRIOR = frozenset({"dps", "mcg", "ddrm", "dmps", "dds"})


def needs_fbp_unet(names: Iterable[str], settings: ReSampleSettings) -> bool:
    """Whether one of the methods runs FBP-UNet's network."""
    starts_there = isinstance(settings.start, FBPUNetStart)
    return "fbp-unet" in names or ("resample" in names and starts_there) or needs_refiner(names, settings)


def needs_refiner(names: Iterable[str], settings: ReSampleSettings) -> bool:
    """Whether one of the methods runs the cascade."""
    starts_there = isinstance(settings.start, CascadeStart)
    return "cascade" in names or ("resample" in names and starts_there)


def build_methods(names: Iterable[str], options: MethodOptions) -> dict[str, Reconstructor]:
    """Methods by name, in the order asked for; OptionError names an unknown one."""
    built = {}
    for name in names:
        if name not in METHODS:
            raise OptionError(f"--method {name}: unknown, expected one of {', '.join(METHODS)}")
        built[name] = METHODS[name](options)
    return built
