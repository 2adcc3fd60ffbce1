"""A method ready to run in memory, by name or as an object, and what is to be told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from resample_ct.errors import OptionError
from resample_ct.networks.precision import Precision
from resample_ct.physics.projector import Projector
from resample_ct.prior.latent import LatentPrior
from resample_ct.reconstruct.base import Reconstructor
from resample_ct.reconstruct.methods import METHODS, MethodOptions, method_named
from resample_ct.reconstruct.resample_settings import (
    DEFAULT_PRESET,
    ReSampleSettings,
    settings_from,
    told_settings,
)
from resample_ct.reconstruct.trust import notes_on_rays
from resample_ct.run.networks import Models, Network, networks_of
from resample_ct.run.scan import Scan
from resample_ct.values.network_grid import IMAGE_SIZE

Bundle = str | Path | Network
_PRIORS = ("prior", "pixel-prior")


@dataclass(frozen=True)
class Ready:
    """A method, and its networks by what they are."""

    method: Reconstructor
    title: str
    told: str
    models: Models

    @property
    def judge(self) -> LatentPrior | None:
        """The latent prior by which the result is judged, where the method runs one."""
        return self.models.prior


def method_by_name(
    name: str,
    preset: str | None,
    settings: ReSampleSettings | None,
    prior: Bundle | None,
    bundles: Mapping[str, Bundle],
    device: str,
    precision: Precision,
) -> Ready:
    """Build a method of the list. Raises OptionError for an argument that it would not honour."""
    entry = method_named(name)
    if "settings" not in entry.takes and not (preset is None and settings is None):
        raise OptionError(
            f"method {name}: found a preset or settings, which are ReSample's; leave them out, or choose "
            "method resample"
        )
    used = settings if settings is not None else settings_from(preset or DEFAULT_PRESET)
    shown = preset if settings is not None else preset or DEFAULT_PRESET
    options = MethodOptions(settings=used)
    needs = entry.needs_with(options)
    given = dict(bundles)
    if prior is not None:
        wanted = [need for need in needs if need in _PRIORS]
        if not wanted:
            raise OptionError(f"method {name}: found a prior, which it does not run; leave it out")
        given[wanted[0]] = prior
    for kind in given:
        if kind not in needs:
            raise OptionError(
                f"method {name}: found a bundle for {kind}, expected one of {', '.join(needs) or 'none'}"
            )
    models = Models(networks_of(needs, given, device, precision))
    told = told_settings(used, shown) if "settings" in entry.takes else ""
    return Ready(entry.build(models.named, options), entry.title, told, models)


def method_as_given(method: Reconstructor) -> Ready:
    """A method that its caller built."""
    found = _networks(method)
    kind = type(method).__name__
    titles = {entry.class_name: entry.title for entry in METHODS.values()}
    return Ready(method, titles.get(kind, kind), "own settings" if found else repr(method), Models(found))


def _networks(method: Any) -> dict[str, Network]:
    """The networks that a method holds, or its parts do, by the name of their field."""
    found: dict[str, Network] = {}
    if not is_dataclass(method):
        return found
    for field in fields(method):
        value = getattr(method, field.name)
        if hasattr(value, "sha256"):
            found[field.name.replace("_", "-")] = value
        else:
            found |= _networks(value)
    return found


def notes_on(scan: Scan, ready: Ready) -> list[str]:
    """Notes on rays, networks and scan; raises OptionError where they do not fit each other."""
    window, size = ready.models.window, scan.operator.domain_shape
    rays = scan.operator.geometry if isinstance(scan.operator, Projector) else None
    notes = [] if rays is None else notes_on_rays(rays)
    if window is None:
        return notes
    if window != scan.window:
        raise OptionError(
            f"window: found a scan of HU {scan.window.lower:g} to {scan.window.upper:g}, expected the "
            f"networks' {window.lower:g} to {window.upper:g}; give simulate window=Window(...)"
        )
    if size != (IMAGE_SIZE, IMAGE_SIZE):
        raise OptionError(
            f"operator: found images of {size[0]} x {size[1]}, expected {IMAGE_SIZE} x {IMAGE_SIZE}, for "
            f"which the networks of {ready.title} were trained; choose a classical method, or that size"
        )
    return notes if scan.pixel_mm is None else notes + ready.models.notes_on(IMAGE_SIZE, scan.pixel_mm)
