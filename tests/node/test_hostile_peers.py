"""Peers that hang, send garbage or lie: survived, logged, and others are served meanwhile."""

from __future__ import annotations

import re
import socket
import struct
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peers import NodeProcess, associate, send, wait_for
from pynetdicom.sop_class import Verification


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A node with a short patience."""
    process = NodeProcess(
        tmp_path_factory.mktemp("node") / "state",
        "PACS@127.0.0.1:1",
        *("--timeout", "2", "--quiet-seconds", "9999", "--min-free-mb", "0", "--max-associations", "8"),
    )
    yield process
    process.kill()


def connect(node):
    """A bare connection, once the node has done with those of the test before."""
    wait_for(lambda: send_echo(node), 60)
    return socket.create_connection(("127.0.0.1", node.port), timeout=30)


def send_echo(node):
    association = associate(node.port, [Verification])
    if not association.is_established:
        return False
    answered = association.send_c_echo().get("Status") == 0
    association.release()
    return answered


def closed_by_peer(connection):
    """Whether the node ends the connection, whatever it says before."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


@given(garbage=st.binary(min_size=1, max_size=300))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_are_survived(node, garbage, small):
    with connect(node) as connection:
        connection.sendall(garbage)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        assert closed_by_peer(connection)
    assert node.process.poll() is None


def test_after_garbage_a_sender_is_served_and_the_log_tells(node, small):
    with connect(node) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert closed_by_peer(connection)
    wait_for(lambda: "Unknown PDU type received '0x47'" in node.log)
    assert send(node.port, small(1)) == [0]


def test_a_pdu_that_claims_4_gib_is_not_waited_for(node):
    with connect(node) as connection:
        connection.sendall(struct.pack(">BBL", 0x01, 0, 2**32 - 1) + b"x" * 1000)
        assert closed_by_peer(connection)
    wait_for(lambda: re.search(r"a PDU of 4294967295 bytes, expected at most \d+", node.log))


@pytest.mark.parametrize(
    "sent",
    [b"", b"\x01", struct.pack(">BBL", 0x01, 0, 200) + b"x" * 50],
    ids=["nothing", "1 byte", "half"],
)
def test_a_peer_that_hangs_is_cut_off_and_others_are_served(node, small, sent):
    with connect(node) as connection:
        connection.sendall(sent)
        assert send(node.port, small(1)) == [0]
        assert closed_by_peer(connection)


def test_an_association_that_falls_silent_is_aborted(node):
    (association,) = wait_for(lambda: hold(node, 1), 30)
    wait_for(lambda: not association.is_established, 30)
    assert association.is_aborted


def test_more_associations_than_allowed_are_refused_and_free_up_again(node, small):
    held = wait_for(lambda: hold(node, 8), 30)
    assert associate(node.port).is_rejected
    for association in held:
        association.release()
    wait_for(lambda: send_or_none(node, small) == [0], 30)


def hold(node, count):
    """So many associations at once, once those of the test before are gone."""
    held = [associate(node.port) for _ in range(count)]
    if all(association.is_established for association in held):
        return held
    for association in held:
        if association.is_established:
            association.release()
    return None


def send_or_none(node, small):
    try:
        return send(node.port, small(1))
    except (AssertionError, RuntimeError):
        return None


def test_an_association_cut_in_the_middle_of_an_instance_keeps_nothing(node, small):
    (dataset,) = small(1)
    dataset.PixelData, dataset.Rows = bytes(2 * 16 * 2000), 2000
    (association,) = wait_for(lambda: hold(node, 1), 30)
    original = association.dul.socket.send

    def cut(data):
        original(data[: len(data) // 2])
        association.dul.socket.socket.shutdown(socket.SHUT_RDWR)

    association.dul.socket.send = cut
    association.send_c_store(dataset)
    assert not (node.folder / "incoming" / dataset.SeriesInstanceUID).exists()
    assert list((node.folder / "incoming.tmp").iterdir()) == []
    assert wait_for(lambda: send_or_none(node, small) == [0], 30)
