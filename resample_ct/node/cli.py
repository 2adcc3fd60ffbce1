"""`resample-ct node`: options in, a running node or a table out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from resample_ct.command import Command
from resample_ct.errors import OptionError

if TYPE_CHECKING:
    from resample_ct.node.settings import NodeSettings

# What could leave instances out, or send a result past the queue.
_NOT_OF_A_NODE = ("resume", "series", "store")


@click.command(cls=Command, context_settings={"ignore_unknown_options": True})
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="Queue and files.")
@click.option("--status", is_flag=True, help="Print the queue of --folder and end.")
@click.option("--aet", help="Application entity title of this node.")
@click.option("--port", default=11112, type=click.IntRange(0, 65535), help="To listen on.")
@click.option("--bind", default="127.0.0.1", help="Address; 0.0.0.0 for all.")
@click.option("--forward", metavar="AET@HOST:PORT", help="Where derived series go.")
@click.option("--allow", multiple=True, metavar="AET", help="A caller to accept; repeats. Default: all.")
@click.option(
    "--quiet-seconds",
    default=30.0,
    type=click.FloatRange(0),
    help="After its last instance a series is whole.",
)
@click.option(
    "--keep-days", default=7.0, type=click.FloatRange(0), help="How long what was sent stays in --folder."
)
@click.option("--tls-cert", type=click.Path(path_type=Path), help="PEM certificate; listens with TLS.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its key.")
@click.option("--tls-ca", type=click.Path(path_type=Path), help="Authorities that peers must have.")
@click.option("--forward-tls", is_flag=True, help="Send with TLS, and with this certificate.")
@click.option("--max-associations", default=10, type=click.IntRange(1), help="Connections at once.")
@click.option(
    "--max-pdu-kb",
    default=64,
    type=click.IntRange(4),
    help="Largest message that a peer may send in one piece.",
)
@click.option(
    "--max-instance-mb", default=1024, type=click.IntRange(1), help="Largest instance that is taken."
)
@click.option("--max-series", default=5000, type=click.IntRange(1), help="Instances of one series.")
@click.option(
    "--min-free-mb",
    default=1024,
    type=click.IntRange(0),
    help="Room that --folder's disk must have to take any.",
)
@click.option(
    "--timeout", default=60.0, type=click.FloatRange(0.1), help="Seconds that a peer may be silent."
)
@click.option("--log-identity", is_flag=True, help="Let the log name patients and UIDs.")
@click.argument("reconstruction", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def node(context: click.Context, /, status: bool, folder: Path, **options: object) -> None:
    """Receive series by C-STORE, reconstruct them, send the derived series on.

    Options of `resample-ct reconstruct`, such as --method or --preset, are passed on to it.
    """
    if status:
        from resample_ct.node.status import print_status

        print_status(folder)
        return
    from resample_ct.extras import needs_extra

    try:
        import fcntl  # noqa: F401
    except ImportError:
        raise OptionError(
            "node: locks its jobs as only Unix does, expected Linux or macOS; run it there"
        ) from None
    from resample_ct.node.log import start_log

    with needs_extra("node"):
        from resample_ct.node.service import serve

    settings = _settings(context, folder, options)
    start_log(settings.log_identity)
    serve(settings)


def _settings(context: click.Context, folder: Path, options: dict[str, object]) -> NodeSettings:
    from resample_ct.node.settings import Limits, NodeSettings, Peer, Tls, check_aet

    for name in ("aet", "forward"):
        if not options[name]:
            raise click.UsageError(f"Missing option '--{name}'.")
    cert, key = (cast(Path | None, options[name]) for name in ("tls_cert", "tls_key"))
    if (cert is None) != (key is None):
        raise click.UsageError("--tls-cert and --tls-key go together.")
    if cert is None and (options["forward_tls"] or options["tls_ca"]):
        raise click.UsageError("--forward-tls and --tls-ca need --tls-cert and --tls-key.")
    ca = cast(Path | None, options["tls_ca"])
    megabyte = 2**20
    return NodeSettings(
        aet=check_aet("--aet", cast(str, options["aet"])),
        bind=cast(str, options["bind"]),
        port=cast(int, options["port"]),
        forward=Peer.parse(cast(str, options["forward"])),
        folder=folder,
        quiet_seconds=cast(float, options["quiet_seconds"]),
        keep_days=cast(float, options["keep_days"]),
        allow=tuple(check_aet("--allow", title) for title in cast(tuple[str, ...], options["allow"])),
        limits=Limits(
            associations=cast(int, options["max_associations"]),
            pdu_bytes=cast(int, options["max_pdu_kb"]) * 1024,
            instance_bytes=cast(int, options["max_instance_mb"]) * megabyte,
            series_instances=cast(int, options["max_series"]),
            free_bytes=cast(int, options["min_free_mb"]) * megabyte,
            timeout_seconds=cast(float, options["timeout"]),
        ),
        tls=Tls(cert, key, ca) if cert is not None and key is not None else None,
        forward_tls=cast(bool, options["forward_tls"]),
        log_identity=cast(bool, options["log_identity"]),
        arguments=_arguments(context, cast(tuple[str, ...], options["reconstruction"])),
    )


def _arguments(context: click.Context, given: tuple[str, ...]) -> tuple[str, ...]:
    """What is passed on to `reconstruct`, refused now if that command would not parse it."""
    assert context.parent is not None
    group = cast(click.Group, context.parent.command)
    command = group.get_command(context, "reconstruct")
    assert command is not None
    # Any path that exists will do for the source.
    trial = command.make_context("node", [".", "--out", "out", *given], parent=context)
    if trial.params["source"] != Path() or trial.params["out"] != Path("out"):
        raise click.UsageError(f"Got unexpected argument ({' '.join(given)}).", context)
    for name in _NOT_OF_A_NODE:
        if trial.params.get(name):
            raise click.UsageError(f"--{name} is not for a node.", context)
    if trial.get_parameter_source("methods") == click.core.ParameterSource.DEFAULT:
        # A PACS wants one derived series, not one for each method to compare with.
        return (*given, "--method", "resample")
    return given
