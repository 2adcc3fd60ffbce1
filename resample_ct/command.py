"""What every command has: `-h`, options in groups, errors as one line, and a log by `-v`."""

from __future__ import annotations

import logging
import math
import platform
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from resample_ct import __version__
from resample_ct.errors import ResampleCTError, without_room

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
LOGGER = logging.getLogger("resample_ct")
_OTHER = "Other options"
_SETTINGS: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "show_default": True,
    "max_content_width": 106,
}


class _Option(click.Option):
    """An option that says which group of `--help` it is in."""

    def __init__(self, *names: Any, group: str = _OTHER, **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.group = group


def option(group: str, *names: str, **attributes: Any) -> Callable[[Decorated], Decorated]:
    """`click.option` in a group of `--help`."""
    return click.option(*names, cls=_Option, group=group, **attributes)


class Command(click.Command):
    """Lists its options in their groups, and writes a log with `-v`."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.context_settings = {**_SETTINGS, **self.context_settings}
        self.params.append(
            click.Option(
                ["-v", "--verbose"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=lambda ctx, _, value: ctx.meta.update(verbose=value),
                help="Write a log with warnings and an error's traceback beside --out, as OUT.log.",
            )
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse NaN and infinity for every option: a range of numbers lets both through.

        Raises click.BadParameter, which names the option.
        """
        rest = super().parse_args(ctx, args)
        for parameter in self.params:
            value = ctx.params.get(parameter.name or "")
            if isinstance(value, float) and not math.isfinite(value):
                raise click.BadParameter(f"{value} is no finite number; correct it", ctx, parameter)
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the groups in the order in which the command names them."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and record is not None:
                groups.setdefault(getattr(parameter, "group", _OTHER), []).append(record)
        for title, records in sorted(groups.items(), key=lambda group: group[0] == _OTHER):
            with formatter.section(title):
                formatter.write_dl(records)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what its user can put right is one line and exit code 1."""
        out = ctx.params.get("out") or Path("resample-ct")
        with warnings.catch_warnings(), _log(out) if ctx.meta.get("verbose") else _quiet():
            try:
                return super().invoke(ctx)
            except ResampleCTError as error:
                raise click.ClickException(str(error)) from error
            except OSError as error:
                told = _told(error)
                if told is None:
                    raise
                raise click.ClickException(told) from error


class Group(click.Group):
    """Lists its commands in sections: a title, and the names of the commands below it."""

    command_class = Command

    def __init__(
        self, *arguments: Any, sections: Mapping[str, Sequence[str]] | None = None, **attributes: Any
    ) -> None:
        super().__init__(*arguments, **attributes)
        self.context_settings = {**_SETTINGS, **self.context_settings}
        self._sections = dict(sections or {})

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections, and below them what is in none."""
        listed = [name for names in self._sections.values() for name in names]
        rest = [name for name in self.list_commands(ctx) if name not in listed]
        for title, names in {**self._sections, "Commands": rest}.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            records = [(name, found.get_short_help_str(90)) for name, found in commands if found]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _told(error: OSError) -> str | None:
    """What the system refused, in one line; None where it named no file of the user's."""
    if without_room(error):
        return (
            f"{error.filename or 'output'}: cannot be written ({error.strerror}), expected room on its "
            "disk; free some space and give the same command again"
        )
    if error.filename is None or error.strerror is None:
        return None
    return (
        f"{error.filename}: {error.strerror}, expected a path that you may read and write; check it, or "
        "name another one"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Pydicom warns of what a header breaks, in lines of code: what matters of it is in our notes."""
    warnings.filterwarnings("ignore", module=r"pydicom\b")
    yield


@contextmanager
def _log(out: Path) -> Iterator[None]:
    """Write what happens to `<out>.log`, after what earlier runs wrote."""
    path = out.with_name(out.name + ".log")
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    heard = LOGGER, logging.getLogger("py.warnings")
    for logger in heard:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    logging.captureWarnings(True)
    LOGGER.info("resample-ct %s, %s", __version__, platform.platform())
    LOGGER.info("%s", shlex.join(sys.argv))
    try:
        yield
        LOGGER.info("done")
    except BaseException:
        LOGGER.exception("ended")
        raise
    finally:
        logging.captureWarnings(False)
        for logger in heard:
            logger.removeHandler(handler)
        handler.close()
