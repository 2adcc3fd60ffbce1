"""ReSample's hyperparameters, each a named option, and the presets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from resample_ct.errors import OptionError
from resample_ct.reconstruct.rules import Piccs, PseudoInverse, Ridge, Rule, parse_rule, rule_text
from resample_ct.reconstruct.start import CascadeStart, Start, start_from, start_names

LatentRule = Literal["adam", "gauss-newton"]
_PAPERS_RULE = PseudoInverse(0.9, 50)


@dataclass(frozen=True)
class ReSampleSettings:
    """Every hyperparameter, named as in the paper where the paper names it.

    Attributes:
        steps: T, the number of DDIM steps.
        start: first time t, and the cheap estimate whose noised encoding is z_t; None starts from pure
            noise.
        keep_detail: what the autoencoder loses of the estimate is added to every decoded image, so that
            samples differ from the estimate only in what the prior changed. Needs `start`.
        eta: stochasticity of the DDIM step.
        skip: consistency at every `skip`-th step.
        pixel_below: pixel optimisation for latent_below < t <= pixel_below; plain DDIM above it.
        latent_below: latent optimisation for t <= latent_below.
        gamma: scale of sigma_t^2 in stochastic resampling.
        variance_rule: "paper" or "code", see `resample_variance`.
        tweedie_rule: "paper" or "code", see `NoiseSchedule.tweedie`: of what is made consistent.
        look_ahead: further DDIM steps from z'_t whose last estimate is made consistent at t in place of
            z_t's own; the paper has none, its code has 5.
        remap: "resample" (Prop. 2) or "encode" (Prop. 1, the ablation's baseline).
        pixel: how pixel optimisation solves.
        latent_rule: how latent optimisation solves, see `optimise_latent`; the paper has Adam.
        latent_iterations: most iterations of one latent optimisation.
        final_latent_iterations: the same for the one after the last step.
        latent_rate: learning rate of Adam in the latent optimisation, in latent standard deviations.
        tau: mean squared residual to stop at; None takes the measurement's noise variance.
        latent_dps_scale: k of the Latent-DPS step k * abar_t (Table 9); 0 leaves it out.
        rounds: of the whole; each after the first starts from the result before. Needs `start`.
        samples: drawn from the posterior in each round; their mean goes into the last pixel optimisation.
        final: a last pixel optimisation around D(z_0), so that what the decoder cannot express is
            still taken from the measurement; None leaves it out, as the paper does.
    """

    steps: int = 1000
    start: Start | None = None
    keep_detail: bool = False
    eta: float = 0.0
    skip: int = 10
    pixel_below: int = 750
    latent_below: int = 300
    gamma: float = 40.0
    variance_rule: Literal["paper", "code"] = "paper"
    tweedie_rule: Literal["paper", "code"] = "paper"
    look_ahead: int = 0
    remap: Literal["resample", "encode"] = "resample"
    pixel: Rule = _PAPERS_RULE
    latent_rule: LatentRule = "adam"
    latent_iterations: int = 500
    final_latent_iterations: int = 500
    latent_rate: float = 5e-3
    tau: float | None = None
    latent_dps_scale: float = 0.0
    rounds: int = 1
    samples: int = 1
    final: Rule | None = None

    def __post_init__(self) -> None:
        """Refuse values that no run could use."""
        for name in ("steps", "skip", "rounds", "samples"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name}: found {getattr(self, name)}, expected 1 or more")
        for name, value in asdict(self).items():
            # Booleans and None pass; a NaN compares false.
            if isinstance(value, int | float) and not 0 <= value < math.inf:
                raise OptionError(f"{name}: found {value}, expected 0 or more")
        if self.start is not None and self.start.t < 0:
            raise OptionError(f"start: found {self.start.t}, expected 0 or more")
        if self.latent_rate == 0:
            raise OptionError("latent_rate: found 0, expected more")
        if self.rounds > 1 and self.start is None:
            raise OptionError(f"rounds: found {self.rounds} from pure noise, expected 1, or a `start`")
        if self.keep_detail and self.start is None:
            raise OptionError("keep_detail: found true from pure noise, expected false, or a `start`")
        if self.latent_below > self.pixel_below:
            raise OptionError(
                f"latent_below: found {self.latent_below}, expected at most pixel_below = "
                f"{self.pixel_below}"
            )


PRESETS = {
    "paper": ReSampleSettings(tau=1e-5),
    # C.1: natural images. The pixel optimisation of a linear operator is by conjugate gradients here.
    "natural": ReSampleSettings(
        steps=500, pixel_below=666, latent_below=333, tau=1e-4, pixel=Ridge(0.04, 50)
    ),
    # For any operator on a CPU: no start from TV, which is made for CT.
    "general": ReSampleSettings(
        steps=20,
        skip=1,
        latent_below=0,
        gamma=4.0,
        pixel=Ridge(0.04, 20),
        final_latent_iterations=0,
        final=Ridge(0.04, 50),
    ),
    # The diffusion prior by itself, PICCS at every step. One sample: the spread of several is fitted to
    # the errors of `balanced` (`uncertainty.py`) and states twice the error here.
    "from-noise": ReSampleSettings(
        steps=25,
        skip=1,
        latent_below=0,
        gamma=4.0,
        pixel=Piccs(0.5, 40),
        final_latent_iterations=0,
        final=Piccs(0.5, 200),
    ),
    # Both measured on the held-out validation patients (docs/training.md): a start from the cascade, two
    # late steps, the measurement's say in every one and the last word.
    "balanced": ReSampleSettings(
        steps=2,
        start=CascadeStart(30, rounds=8, flips=True),
        keep_detail=True,
        samples=3,
        skip=1,
        latent_below=0,
        gamma=4.0,
        pixel=Piccs(0.5, 40),
        final_latent_iterations=0,
        final=Piccs(0.5, 200),
    ),
    "fast": ReSampleSettings(
        steps=2,
        start=CascadeStart(30),
        keep_detail=True,
        skip=1,
        latent_below=0,
        gamma=4.0,
        pixel=Piccs(0.5, 15),
        final_latent_iterations=0,
        final=Piccs(0.5, 80),
    ),
}


DEFAULT_PRESET = "balanced"
PURPOSES = {
    "paper": "The published procedure for CT: 1000 steps from pure noise; more than an hour a slice.",
    "natural": "The published procedure for natural images: 500 steps from pure noise.",
    "general": "Any operator, in minutes: 20 steps from pure noise.",
    "from-noise": "CT, by the diffusion prior alone: one sample from pure noise, no cascade, no TV.",
    "balanced": "CT, best quality: three samples from the cascade's image, with an uncertainty map.",
    "fast": "CT, in seconds: one sample from the cascade's image.",
}
# Written as `parse_rule` reads them.
_RULE_SETTINGS = ("pixel", "final")


def settings_from(preset: str, overrides: Sequence[str] = ()) -> ReSampleSettings:
    """A preset with `name=value` texts laid over it.

    `start_NAME` is a field of the start; `pixel` and `final` are rules, see `parse_rule`.

    Raises OptionError for an unknown preset or name, or a value of the wrong type.

    >>> settings_from("paper", ["gamma=4"]).gamma
    4.0
    >>> settings_from("fast", ["start_rounds=6"]).start
    CascadeStart(t=30, rounds=6, flips=False, estimate='cascade')
    >>> settings_from("fast", ["pixel=ridge:0.04,20"]).pixel
    Ridge(weight=0.04, iterations=20, rule='ridge')
    """
    # Imported late, because the command line lists the presets.
    from pydantic import TypeAdapter, ValidationError

    if preset not in PRESETS:
        raise OptionError(f"preset {preset}: unknown, expected one of {', '.join(PRESETS)}")
    settings = PRESETS[preset]
    values: dict[str, Any] = {field.name: getattr(settings, field.name) for field in fields(settings)}
    start: dict[str, str | None] = {}
    names = (*values, *(name for name in start_names() if name not in values))
    for text in overrides:
        name, equals, value = text.partition("=")
        if name not in names:
            raise OptionError(f"{text}: unknown setting {name}, expected one of {', '.join(names)}")
        if not equals:
            raise OptionError(f"{text}: found no value, expected {name}=VALUE")
        given = None if value == "none" else value
        if name in start_names():
            start[name] = given
        else:
            values[name] = _rule(name, given) if name in _RULE_SETTINGS and given else given
    values["start"] = start_from(settings.start, start)
    if values["start"] is None and values["keep_detail"] is True:
        # The preset's, which goes with the preset's start.
        values["keep_detail"] = False
    try:
        return TypeAdapter(ReSampleSettings).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise OptionError(f"{first['loc'][0]}={first['input']}: {first['msg']}") from None


def changes(settings: ReSampleSettings, preset: str) -> list[str]:
    """What differs from a preset, as `settings_from` takes it.

    >>> changes(settings_from("fast", ["start_rounds=6", "tau=1e-5"]), "fast")
    ['start_rounds=6', 'tau=1e-05']
    """
    before, after = _flat(PRESETS[preset]), _flat(settings)
    return [f"{name}={value}" for name, value in after.items() if before.get(name) != value]


def told_settings(settings: ReSampleSettings, preset: str | None) -> str:
    """A preset and what differs from it, in words; None is for settings that are no preset's."""
    if preset is None:
        return "settings of its own"
    return ", ".join((f"preset {preset}", *changes(settings, preset)))


def _rule(name: str, text: str) -> Rule:
    try:
        return parse_rule(text)
    except OptionError as error:
        raise OptionError(f"{name}={text}: {error}") from None


def _flat(settings: ReSampleSettings) -> dict[str, str]:
    """Every setting by the name, and as the text, that `settings_from` knows it by."""
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}
    start = {"t": None} if settings.start is None else asdict(settings.start)
    del values["start"]
    named = {("start" if name == "t" else f"start_{name}"): value for name, value in start.items()}
    return {name: _text(value) for name, value in (named | values).items()}


def _text(value: Any) -> str:
    if isinstance(value, Rule):
        return rule_text(value)
    return "none" if value is None else str(value)
