"""ReSample-CT: sparse-view CT reconstruction with a latent diffusion prior and hard data consistency.

    import resample_ct as rct

The names below are the public ones. Each is imported when it is first asked for, so that importing the
package costs nothing and changes nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "parallel_beam": "api:parallel_beam",
    "fan_beam": "api:fan_beam",
    "simulate": "api:simulate",
    "measured": "api:measured",
    "reconstruct": "api:reconstruct",
    "read_study": "io.read:read_study",
    "read_sinogram": "physics.sinogram_file:read_sinogram",
    "write_series": "api:write_series",
    "Scan": "run.scan:Scan",
    "Result": "run.result:Result",
    "Window": "values.units:Window",
    "Job": "run.job:Job",
    "run_job": "run.pipeline:reconstruct",
    "PRESETS": "reconstruct.resample_settings:PRESETS",
    "ReSampleSettings": "reconstruct.resample_settings:ReSampleSettings",
    "methods": "reconstruct.methods",
    "networks": "networks",
    "operators": "operators",
}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is asked for."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, member = _PUBLIC[name].partition(":")
    found = import_module(f"{__name__}.{module}")
    return getattr(found, member) if member else found


def __dir__() -> list[str]:
    return sorted([*_PUBLIC, "__version__"])


class _Package(ModuleType):
    """Python would put the room `reconstruct/` in the place of the function, once it is imported."""

    @property
    def reconstruct(self) -> Any:
        """See `resample_ct.api.reconstruct`."""
        return __getattr__("reconstruct")

    @reconstruct.setter
    def reconstruct(self, room: ModuleType) -> None:
        """Its modules are found by `from resample_ct.reconstruct.tv import ...` all the same."""


sys.modules[__name__].__class__ = _Package
