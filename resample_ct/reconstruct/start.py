"""What ReSample may start from, as values: the first time t, and the estimate that is noised to it.

Each names the bundles whose networks its method needs, and builds the method from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from resample_ct.errors import OptionError

if TYPE_CHECKING:
    from resample_ct.networks.slice_unet import Refiner, SliceUNet
    from resample_ct.reconstruct.base import Reconstructor


@dataclass(frozen=True)
class TVStart:
    """TV's image, which needs no network.

    Attributes:
        t: first time.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    t: int
    estimate: Literal["tv"] = "tv"

    def build(self) -> None:
        """None: ReSample takes TV by itself."""

    @property
    def code(self) -> str:
        """The method as Python writes it."""
        return "TV()"


@dataclass(frozen=True)
class FBPUNetStart:
    """FBP-UNet's image, made consistent; TV's where the network was not trained for the measurement.

    Attributes:
        t: first time.
    """

    needs: ClassVar[tuple[str, ...]] = ("fbp-unet",)

    t: int
    estimate: Literal["fbp-unet"] = "fbp-unet"

    def build(self, fbp_unet: SliceUNet) -> Reconstructor:
        """The method."""
        from resample_ct.reconstruct.fbp_unet import ConsistentFBPUNet

        return ConsistentFBPUNet(fbp_unet)

    @property
    def code(self) -> str:
        """The method as Python writes it."""
        return "ConsistentFBPUNet(fbp_unet)"


@dataclass(frozen=True)
class CascadeStart:
    """The cascade's image.

    Attributes:
        t: first time.
        rounds: of the refiner.
        flips: the refiner sees every image in its four mirror images and gives their mean.
    """

    needs: ClassVar[tuple[str, ...]] = ("fbp-unet", "refiner")

    t: int
    rounds: int = 4
    flips: bool = False
    estimate: Literal["cascade"] = "cascade"

    def build(self, fbp_unet: SliceUNet, refiner: Refiner) -> Reconstructor:
        """The method."""
        from resample_ct.reconstruct.cascade import Cascade

        return Cascade(fbp_unet, refiner, self.rounds, self.flips)

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise OptionError(f"start_rounds: found {self.rounds}, expected 1 or more")

    @property
    def code(self) -> str:
        """The method as Python writes it."""
        return f"Cascade(fbp_unet, refiner, rounds={self.rounds}, flips={self.flips})"


@dataclass(frozen=True)
class OwnStart:
    """Any other method's image; only Python can pass one to ReSample.

    Attributes:
        t: first time.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    t: int
    estimate: Literal["own"] = "own"

    def build(self) -> None:
        """None: nobody but the caller knows the method."""

    @property
    def code(self) -> str:
        """The method as Python writes it."""
        return "a method of your own"


Start = TVStart | FBPUNetStart | CascadeStart | OwnStart
_KINDS = {kind.estimate: kind for kind in get_args(Start)}


def start_names() -> tuple[str, ...]:
    """What `start_from` takes: `start` is t, `start_NAME` a field."""
    names = dict.fromkeys(f.name for kind in _KINDS.values() for f in fields(kind) if f.name != "t")
    return ("start", *(f"start_{name}" for name in names))


def start_from(start: Start | None, options: Mapping[str, str | None]) -> Start | None:
    """A start with options laid over its fields.

    Another estimate leaves the former one's own fields behind.

    Args:
        start: to begin with; None is pure noise.
        options: texts by `start_names`.

    Raises:
        OptionError: an option that such a start has not, so that none goes unheard, or of another type.
    """
    from pydantic import TypeAdapter, ValidationError

    former: dict[str, Any] = {} if start is None else asdict(start)
    asked = {name.removeprefix("start_"): value for name, value in options.items() if name != "start"}
    t = options.get("start", former.get("t"))
    if t is None:
        for name in asked:
            raise OptionError(
                f"start_{name}: found {asked[name]} from pure noise, expected a `start` too"
            )
        return None
    estimate = asked.get("estimate", former.get("estimate", "tv"))
    if estimate not in _KINDS:
        raise OptionError(f"start_estimate: found {estimate}, expected one of {', '.join(_KINDS)}")
    known = {field.name for field in fields(_KINDS[estimate])}
    for name in asked:
        if name not in known:
            raise OptionError(
                f"start_{name}: found {asked[name]} with a start from {estimate}, which has none"
            )
    kept = former if former.get("estimate") == estimate else {}
    values = {**kept, **asked, "estimate": estimate, "t": t}
    try:
        made: Start = TypeAdapter(_KINDS[estimate]).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = "start" if first["loc"] == ("t",) else f"start_{first['loc'][0]}"
        raise OptionError(f"{name}={first['input']}: {first['msg']}") from None
    return made
