"""The options that commands share, and the one way from options to a Job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from resample_ct.run.job import Job

Command = TypeVar("Command", bound=Callable[..., Any])


def together(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order that `--help` lists them in."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_PRESETS = ("paper", "natural", "general", "balanced", "fast")
resample_options = together(
    click.option("--preset", default="balanced", show_default=True, type=click.Choice(_PRESETS)),
    click.option("--set", "overrides", multiple=True, help="A ReSample setting, as gamma=40; repeats."),
)
_SHIPPED = "A bundle; default: the shipped one."
bundle_options = together(
    click.option("--prior", type=click.Path(path_type=Path), help=_SHIPPED),
    click.option("--fbp-unet", type=click.Path(path_type=Path), help=_SHIPPED),
    click.option("--refiner", type=click.Path(path_type=Path), help=_SHIPPED),
    click.option(
        "--pixel-prior", type=click.Path(path_type=Path), help="Bundle of dps, mcg, ddrm, dmps, dds."
    ),
    click.option("--dncnn", type=click.Path(path_type=Path), help="Denoiser's bundle of admm-pnp."),
    click.option(
        "--unet-denoiser", type=click.Path(path_type=Path), help="Denoiser's bundle of pnp-unet."
    ),
)
computing_options = together(
    click.option("--seed", default=0, show_default=True, type=click.IntRange(0)),
    click.option("--batch", default=4, show_default=True, type=click.IntRange(1)),
    click.option("--device", default="cpu", show_default=True),
)


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
    from resample_ct.reconstruct.resample_settings import settings_from
    from resample_ct.run.job import Job

    return Job(
        methods=tuple(dict.fromkeys(methods)),
        preset=preset,
        settings=settings_from(preset, overrides),
        **fields,
    )
