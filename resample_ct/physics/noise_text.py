"""What the option `--noise` asks for, understood without the arrays that it will be drawn in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from resample_ct.errors import OptionError


@dataclass(frozen=True)
class NoiseText:
    """A noise as it is asked for.

    Attributes:
        kind: of which model.
        number: its standard deviation, or its photons a ray; 0 of none.
        relative: whether the standard deviation is a share of each sinogram's maximum.
        electronic: standard deviation of the electronic noise, in photons.
    """

    kind: Literal["none", "gaussian", "poisson"]
    number: float = 0.0
    relative: bool = False
    electronic: float = 0.0


def read_noise(text: str) -> NoiseText:
    """`gaussian:0.01`, `gaussian:1%`, `poisson:1e5`, `poisson:1e5:10` or `none`.

    Raises OptionError for anything else, or a number that is not positive and finite.

    >>> read_noise("gaussian:1%")
    NoiseText(kind='gaussian', number=0.01, relative=True, electronic=0.0)
    """
    kind, *values = text.split(":")
    numbers = [_positive(value.removesuffix("%") if kind == "gaussian" else value) for value in values]
    match kind, numbers:
        case "none", []:
            return NoiseText("none")
        case "gaussian", [float(sigma)]:
            relative = values[0].endswith("%")
            return NoiseText("gaussian", sigma / 100 if relative else sigma, relative)
        case "poisson", [float(photons)]:
            return NoiseText("poisson", photons)
        case "poisson", [float(photons), float(electronic)]:
            return NoiseText("poisson", photons, electronic=electronic)
    raise OptionError(
        f"--noise {text}: not understood, expected gaussian:0.01, gaussian:1%, poisson:1e5, "
        "poisson:1e5:10 (with electronic noise) or none"
    )


def _positive(text: str) -> float | None:
    """The number, None where it is none, or not positive and finite."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < math.inf else None
