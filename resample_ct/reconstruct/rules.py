"""How an image is made consistent with the measurement, as values: one class a rule.

Each is written in a command as its name and its numbers, `piccs:0.5,40`; see `parse_rule`.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields
from typing import Literal, get_args

from resample_ct.errors import OptionError


@dataclass(frozen=True)
class PseudoInverse:
    """The paper's eq. 16: x - kappa A^+ (A x - y). Needs a linear operator.

    Attributes:
        kappa: relaxation.
        iterations: of conjugate gradients in A^+.
    """

    kappa: float
    iterations: int
    rule: Literal["pseudo-inverse"] = "pseudo-inverse"

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True)
class Ridge:
    """argmin_v ||A v - y||^2 + weight ||v - x||^2. Needs a linear operator.

    Attributes:
        weight: stated for sigma_y = 0.01; it grows with the noise variance.
        iterations: of conjugate gradients.
    """

    weight: float
    iterations: int
    rule: Literal["ridge"] = "ridge"

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True)
class Piccs:
    """PICCS: 0.5 ||A v - y||^2 and total variation, part of it of v - x. Needs a linear operator.

    Attributes:
        alpha: the part taken of v - x, within 0 and 1.
        iterations: primal-dual steps.
    """

    alpha: float
    iterations: int
    rule: Literal["piccs"] = "piccs"

    def __post_init__(self) -> None:
        _check(self)
        if not 0 < self.alpha < 1:
            raise OptionError(f"piccs: found alpha {self.alpha}, expected a share within 0 and 1")


@dataclass(frozen=True)
class Descent:
    """Adam on ||A(v) - y||^2 from x until the residual is the noise variance, for any operator.

    The paper's way for natural images (C.1); its code has AdamW at 1e-2.

    Attributes:
        rate: Adam's learning rate.
        iterations: steps at most.
    """

    rate: float
    iterations: int
    rule: Literal["descent"] = "descent"

    def __post_init__(self) -> None:
        _check(self)
        if self.rate == 0:
            raise OptionError("descent: found rate 0, expected more")


Rule = PseudoInverse | Ridge | Piccs | Descent
_RULES = {kind.rule: kind for kind in get_args(Rule)}


def _check(rule: Rule) -> None:
    """Raise OptionError unless both numbers are finite and not negative."""
    number, iterations, name = astuple(rule)
    if not 0 <= number < math.inf:
        raise OptionError(f"{name}: found {fields(rule)[0].name} {number}, expected 0 or more")
    if iterations < 0:
        raise OptionError(f"{name}: found {iterations} iterations, expected 0 or more")


def parse_rule(text: str) -> Rule:
    """A rule from its name and its two numbers.

    Raises OptionError for anything else.

    >>> parse_rule("piccs:0.5,40")
    Piccs(alpha=0.5, iterations=40, rule='piccs')
    """
    name, _, numbers = text.partition(":")
    try:
        kind = _RULES[name]
        number, iterations = numbers.split(",")
        return kind(float(number), int(iterations))
    except (KeyError, ValueError):
        known = ", ".join(f"{name}:{fields(kind)[0].name.upper()},N" for name, kind in _RULES.items())
        raise OptionError(f"found {text}, expected one of {known}, N the iterations") from None


def rule_text(rule: Rule) -> str:
    """What `parse_rule` reads as the rule.

    >>> rule_text(Ridge(0.04, 20))
    'ridge:0.04,20'
    """
    number, iterations, name = astuple(rule)
    return f"{name}:{number},{iterations}"
