"""The command line: parse and call. Heavy imports wait until a command runs, so `--help` is quick."""

from __future__ import annotations

import os

import click

from resample_ct.command import Group
from resample_ct.commands.check import check
from resample_ct.commands.compare import compare
from resample_ct.commands.convert import convert
from resample_ct.commands.import_scan import import_scan
from resample_ct.commands.info import info
from resample_ct.commands.lists import methods, presets
from resample_ct.commands.rebin import rebin
from resample_ct.commands.reconstruct import reconstruct
from resample_ct.commands.restore import restore
from resample_ct.commands.simulate import simulate
from resample_ct.commands.view import view

_SECTIONS = {
    "Reconstruct": ("simulate", "rebin", "import", "reconstruct", "compare", "restore"),
    "Look": ("info", "check", "methods", "presets", "view"),
    "Train": ("fine-tune", "convert"),
    "Serve": ("node",),
}


class _Commands(Group):
    """Imports the two commands that bring much along only when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "fine-tune", "node"])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name == "fine-tune":
            from fine_tune.cli import fine_tune

            return fine_tune
        if name == "node":
            from resample_ct.node.cli import node

            return node
        return super().get_command(ctx, name)


@click.group(cls=_Commands, sections=_SECTIONS)
@click.version_option(package_name="resample-ct")
def main() -> None:
    """Sparse-view CT reconstruction with a latent diffusion prior. Research only.

    `resample-ct COMMAND -h` says what a command takes.
    """
    # Before torch's first allocation: its large blocks in huge pages, on kernels that have them. Clearing
    # small ones after every layer takes a noticeable share of the time (docs/performance.md).
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


for _command in (
    *(
        check,
        compare,
        convert,
        import_scan,
        info,
        methods,
        presets,
        rebin,
        reconstruct,
        restore,
        simulate,
        view,
    ),
):
    main.add_command(_command)
