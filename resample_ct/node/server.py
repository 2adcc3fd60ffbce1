"""pynetdicom's server, made to outlast peers that hang, lie about lengths or never shake hands.

As it comes, pynetdicom shakes TLS hands in the one thread that accepts connections and reads from
sockets without a time limit, so one silent peer stops it; and it believes the length that a PDU
claims, up to 4 GiB.
"""

from __future__ import annotations

import socket
import threading
import time
from socketserver import BaseServer
from typing import Any, cast

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from resample_ct.node.log import LOGGER

# An association request may be longer than a P-DATA: 128 contexts of many transfer syntaxes each.
_LONGEST_REQUEST = 2**20


class _LimitedSocket(AssociationSocket):
    """Reads a PDU within a time limit, and none that is longer than was agreed."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Read exactly `nr_bytes`, fewer if the peer closes. Raises OSError beyond the limits."""
        longest = max(self.assoc.ae.maximum_pdu_size, _LONGEST_REQUEST)
        if nr_bytes > longest:
            raise OSError(f"a PDU of {nr_bytes} bytes, expected at most {longest}")
        connection = cast(socket.socket, self.socket)
        limit = self.assoc.network_timeout or 60.0
        end = time.monotonic() + limit
        read = bytearray()
        try:
            while len(read) < nr_bytes:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"a PDU that was not whole after {limit:g} s")
                connection.settimeout(left)
                some = connection.recv(min(nr_bytes - len(read), 65536))
                if not some:
                    break
                read += some
        finally:
            connection.settimeout(limit)
        return read


class _Handler(RequestHandler):
    """Makes associations that read through `_LimitedSocket`."""

    def _create_association(self) -> Association:
        association = super()._create_association()
        # The one that pynetdicom made has no state of its own yet, and its class cannot be chosen.
        cast(AssociationSocket, association.dul.socket).__class__ = _LimitedSocket
        return association


class NodeServer(ThreadedAssociationServer):
    """Accepts quickly; everything that may take a peer's time happens in the peer's own thread."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["request_handler"] = _Handler
        super().__init__(*args, **kwargs)

    def start(self) -> None:
        """Serve in a thread of its own."""
        threading.Thread(target=self.serve_forever, name="NodeServer", daemon=True).start()

    def stop(self, wait_seconds: float = 5.0) -> None:
        """Stop accepting, then abort what is open; a C-STORE being answered is answered first."""
        BaseServer.shutdown(self)
        self.server_close()
        for association in self.active_associations:
            association.abort(block=False)
        end = time.monotonic() + wait_seconds
        while self.active_associations and time.monotonic() < end:
            time.sleep(0.05)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection without waiting for its TLS handshake."""
        connection, address = cast(socket.socket, self.socket).accept()
        connection.settimeout(self.ae.network_timeout)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Turn away connections that are far more than the associations which are allowed."""
        if len(self.active_associations) < 2 * self.ae.maximum_associations:
            return True
        LOGGER.warning("turned away %s: too many connections", client_address[0])
        return False

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake TLS hands where asked for, then start the association."""
        if self.ssl_context is not None:
            try:
                request = self.ssl_context.wrap_socket(request, server_side=True)
            except OSError as error:
                LOGGER.warning("TLS handshake with %s failed: %s", client_address[0], error)
                self.shutdown_request(request)
                return
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in one line what socketserver would print as a traceback."""
        LOGGER.exception("connection with %s ended by an error", client_address[0])
