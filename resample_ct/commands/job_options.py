"""The options that commands share, and the one way from options to a Job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from resample_ct.bundles.kinds import BUNDLES
from resample_ct.command import option
from resample_ct.errors import OptionError
from resample_ct.reconstruct import methods as table

if TYPE_CHECKING:
    from resample_ct.reconstruct.resample_settings import ReSampleSettings
    from resample_ct.run.job import Job

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]
INPUT, METHODS, SIMULATION = "Input", "Methods", "Simulated measurement"
NETWORKS, COMPUTING, OUTPUT = "Networks", "Computing", "Output"
PATH = click.Path(path_type=Path)
COUNTED = "counted from 0 along the slices' normal"


def together(*options: Decorator) -> Callable[[Decorated], Decorated]:
    """Several options as one decorator, in the order that `--help` lists them in."""

    def decorate(command: Decorated) -> Decorated:
        for one in reversed(options):
            command = one(command)
        return command

    return decorate


def angles_option(**more: Any) -> Decorator:
    """`--angles`."""
    text = "Views of the simulated scan, evenly spaced over its arc."
    return option(SIMULATION, "--angles", type=click.IntRange(2), help=text, **more)


def noise_option(*names: str, **more: Any) -> Decorator:
    """`--noise`."""
    text = (
        "Noise of the simulated scan: gaussian:0.01 (standard deviation of a ray, in pixels times "
        "relative attenuation), gaussian:1% (of the largest ray), poisson:1e5 (photons a ray), "
        "poisson:1e5:10 (with electronic noise of 10 photons) or none."
    )
    return option(SIMULATION, "--noise", *names, metavar="NOISE", help=text, **more)


scan_options = together(
    option(
        SIMULATION,
        "--geometry",
        default="parallel",
        type=click.Choice(("parallel", "fan-flat", "fan-curved")),
        help="Rays of the simulated scan: a fan's source is 595 mm from the axis.",
    ),
    option(
        SIMULATION,
        "--arc",
        type=click.FloatRange(0, 360, min_open=True),
        help="Degrees that its views cover.  [default: 180, of a fan 360]",
    ),
    option(
        SIMULATION,
        "--detectors",
        type=click.IntRange(1),
        help="Its detector pixels: fewer than the image needs cut it off.  [default: all]",
    ),
    option(
        SIMULATION,
        "--pixels",
        default="reduced",
        type=click.Choice(("reduced", "native")),
        help="What is projected: the reduced slices, as in the paper, or the study's own pixels with "
        "finer rays, so that no method knows exactly how it was measured.",
    ),
    option(
        SIMULATION,
        "--kvp",
        type=click.FloatRange(40, 150),
        help="Tube voltage of a polychromatic beam, corrected for water.  [default: a single energy]",
    ),
)
slices_option = option(INPUT, "--slices", help=f"10:20, 3,7,9 or one number, {COUNTED}.  [default: all]")
series_option = option(INPUT, "--series", help="SeriesInstanceUID, where the study holds several.")
out_folder_option = option(OUTPUT, "--out", required=True, type=PATH, help="New output folder.")
deidentify_option = option(
    OUTPUT, "--deidentify", is_flag=True, help="Take what names the patient out of every output."
)
resume_option = option(
    OUTPUT, "--resume", is_flag=True, help="Continue an interrupted run of the same command."
)


def method_option(*default: str) -> Decorator:
    """`--method`."""
    return option(
        METHODS,
        "--method",
        "methods",
        multiple=True,
        default=default,
        type=click.Choice(tuple(table.METHODS)),
        metavar="NAME",
        help="Repeat for several; `resample-ct methods` lists them."
        + ("" if default else "  [default: fbp, tv, resample; fbp, tv for a scan of no patient]"),
    )


set_option = option(
    METHODS,
    "--set",
    "overrides",
    multiple=True,
    help="A setting of ReSample, as gamma=40 or pixel=piccs:0.5,40; repeats.",
)
# What the paper gives for images is of `restore`; on CT slices it is the slowest and the least exact.
_PRESETS = ("paper", "from-noise", "balanced", "fast")
resample_options = together(
    option(
        METHODS,
        "--preset",
        default="balanced",
        type=click.Choice(_PRESETS),
        help="Settings of ReSample: paper is the published procedure (hours), from-noise the diffusion "
        "prior alone, balanced the most exact, fast nearly as exact in less time.",
    ),
    set_option,
)
_SHIPPED = "[default: the shipped one]"
prior_option = option(
    NETWORKS, "--prior", type=PATH, help=f"Bundle of the latent diffusion prior.  {_SHIPPED}"
)


def _parameter(bundle: str) -> str:
    """What click calls the option of a kind of bundle."""
    return f"bundle_{bundle.replace('-', '_')}"


bundle_options = together(
    *(
        option(
            NETWORKS,
            f"--{kind.name}",
            _parameter(kind.name),
            type=PATH,
            help=f"Bundle: {kind.summary}  {_SHIPPED}",
        )
        for kind in BUNDLES.values()
    )
)
seed_option = option(
    COMPUTING,
    "--seed",
    default=0,
    type=click.IntRange(0),
    help="Of all random numbers: the same seed gives the same result.",
)
device_option = option(
    COMPUTING,
    "--device",
    default="cpu",
    help="Of PyTorch: cpu; cuda is an NVIDIA GPU, cuda:1 the second.",
)
batch_option = option(
    COMPUTING,
    "--batch",
    default=4,
    type=click.IntRange(1),
    help="Slices at once: more take more memory, and less time on a GPU.",
)
computing_options = together(seed_option, batch_option, device_option)


def job_of(*, methods: tuple[str, ...], preset: str, overrides: tuple[str, ...], **fields: Any) -> Job:
    """A command's options as a Job.

    Args:
        methods: as given; one that is given twice runs once.
        preset: where ReSample's settings come from.
        overrides: `name=value` texts laid over it.
        **fields: further fields of a Job, under their own names.

    Raises:
        OptionError: a setting that cannot be understood.
    """
    from resample_ct.run.job import Job

    given = {name: fields.pop(_parameter(name)) for name in BUNDLES}
    return Job(
        methods=tuple(dict.fromkeys(methods)),
        preset=preset,
        settings=chosen_settings(preset, overrides),
        bundles={name: folder for name, folder in given.items() if folder is not None},
        **fields,
    )


def chosen_settings(preset: str, overrides: tuple[str, ...]) -> ReSampleSettings:
    """What --preset and --set choose; raises OptionError, with the flag, for what is not understood."""
    from resample_ct.reconstruct.resample_settings import settings_from

    try:
        return settings_from(preset, overrides)
    except OptionError as error:
        raise OptionError(f"--set {error}") from None
