"""What a node is told when it starts, checked before it listens."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from resample_ct.errors import OptionError

# PS3.5 6.2: printable ASCII without backslash, at most 16, not only spaces.
_AET = re.compile(r"(?=.*[^ ])[ -\[\]-~]{1,16}")


def check_aet(option: str, title: str) -> str:
    """An application entity title. Raises OptionError for one that DICOM does not allow."""
    if not _AET.fullmatch(title):
        raise OptionError(
            f"{option} {title!r}: not an application entity title, expected 1 to 16 ASCII characters "
            "without backslash"
        )
    return title.strip()


@dataclass(frozen=True)
class Peer:
    """Where results go: application entity title, host and port."""

    aet: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Peer:
        """Read `AET@host:port`. Raises OptionError for anything else."""
        match = re.fullmatch(r"([^@]+)@\[?([^@\[\]]+?)\]?:(\d+)", text)
        if not match or not 0 < int(match[3]) < 65536:
            raise OptionError(f"--forward {text}: expected AET@host:port, as PACS@pacs.hospital:104")
        return cls(check_aet("--forward", match[1]), match[2], int(match[3]))


@dataclass(frozen=True)
class Limits:
    """What a peer can take of this machine.

    Attributes:
        associations: open at once.
        pdu_bytes: longest P-DATA that a peer may send.
        instance_bytes: longest instance; a peer that sends more is cut off.
        series_instances: most instances of one series.
        free_bytes: space on disk that stays free.
        timeout_seconds: for a connection, a message, and one PDU from its first byte to its last.
    """

    associations: int = 10
    pdu_bytes: int = 65536
    instance_bytes: int = 1024 * 2**20
    series_instances: int = 5000
    free_bytes: int = 1024 * 2**20
    timeout_seconds: float = 60.0


@dataclass(frozen=True)
class Tls:
    """Certificate and key of this node, and the authority that peers' certificates must come from."""

    cert: Path
    key: Path
    ca: Path | None

    def server_context(self) -> ssl.SSLContext:
        """For the listening port; with an authority, a client must show a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(context)
        if self.ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client_context(self) -> ssl.SSLContext:
        """For the way to the forward destination, whose certificate and host name are verified."""
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # pynetdicom takes the session tickets that a TLS 1.3 server sends unasked for data, and
        # would wait for the rest of a PDU that never comes (its issue 364).
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self._load(context)
        return context

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as error:
            raise OptionError(
                f"--tls-cert {self.cert}, --tls-key {self.key}: {error}, expected a PEM certificate "
                "and its key without a passphrase"
            ) from None
        if self.ca is None:
            return
        try:
            context.load_verify_locations(self.ca)
        except (OSError, ssl.SSLError) as error:
            raise OptionError(
                f"--tls-ca {self.ca}: {error}, expected PEM certificates of authorities"
            ) from None


@dataclass(frozen=True)
class NodeSettings:
    """Everything that a node is told.

    Attributes:
        aet: its application entity title; a peer must call it by that.
        bind: address to listen at.
        port: to listen at; 0 takes a free one.
        forward: where derived series go.
        folder: queue and files; belongs to this node alone.
        quiet_seconds: a series without a new instance for so long is taken to be complete.
        keep_days: how long files stay after a job has ended.
        allow: calling application entity titles; empty allows all.
        limits: see `Limits`.
        tls: None listens without TLS.
        forward_tls: whether results are sent with TLS.
        log_identity: whether the log may name patients and UIDs.
        arguments: of `resample-ct reconstruct`, without source and --out.
    """

    aet: str
    bind: str
    port: int
    forward: Peer
    folder: Path
    quiet_seconds: float
    keep_days: float
    allow: tuple[str, ...]
    limits: Limits
    tls: Tls | None
    forward_tls: bool
    log_identity: bool
    arguments: tuple[str, ...]
