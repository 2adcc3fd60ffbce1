"""TLS in both directions, with certificates made here."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from peers import Pacs, associate, send, wait_for
from pynetdicom.sop_class import Verification


@dataclass
class Pair:
    cert: Path
    key: Path


class Authority:
    """Signs certificates for 127.0.0.1."""

    def __init__(self, folder: Path, name: str):
        self.folder, self.name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.cert = self._sign(self.name, self.key, ca=True)
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.cert.public_bytes(serialization.Encoding.PEM))

    def _sign(self, subject, key, ca):
        now = datetime.datetime.now(datetime.UTC)
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
        )
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    key_cert_sign=ca,
                    crl_sign=ca,
                    encipher_only=False,
                    decipher_only=False,
                    **usage,
                ),
                critical=True,
            )
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )

    def pair(self, name: str) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        pair = Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        certificate = self._sign(subject, key, ca=False)
        pair.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return pair

    def client(self, pair: Pair | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.path)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        if pair is not None:
            context.load_cert_chain(pair.cert, pair.key)
        return context


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "hospital")


@pytest.fixture
def tls(authority):
    """Options of a node with a certificate of the hospital's, for which peers need one too."""
    own = authority.pair("node")
    return ("--tls-cert", own.cert, "--tls-key", own.key, "--tls-ca", authority.path)


def echo(port, context):
    association = associate(port, [Verification], tls_args=(context, "127.0.0.1"))
    if not association.is_established:
        return None
    status = association.send_c_echo().get("Status")
    association.release()
    return status


def test_a_peer_with_a_certificate_is_served(node, tls, authority, small):
    process = node(*tls, "--min-free-mb", 0)
    context = authority.client(authority.pair("scanner"))
    assert echo(process.port, context) == 0
    assert send(process.port, small(2), tls_args=(context, "127.0.0.1")) == [0, 0]


def test_peers_without_one_or_from_elsewhere_or_without_tls_are_not(node, tls, authority, tmp_path):
    process = node(*tls)
    stranger = Authority(tmp_path, "elsewhere")
    assert echo(process.port, authority.client()) is None
    assert echo(process.port, authority.client(stranger.pair("stranger"))) is None
    assert not associate(process.port, [Verification]).is_established
    wait_for(lambda: "TLS handshake with 127.0.0.1 failed" in process.log)
    assert echo(process.port, authority.client(authority.pair("scanner"))) == 0


def test_without_an_authority_the_server_alone_shows_a_certificate(node, authority):
    own = authority.pair("node")
    process = node("--tls-cert", own.cert, "--tls-key", own.key)
    assert echo(process.port, authority.client()) == 0


def test_a_peer_that_never_shakes_hands_keeps_nobody_waiting(node, tls, authority):
    process = node(*tls, "--timeout", 3)
    context = authority.client(authority.pair("scanner"))
    with socket.create_connection(("127.0.0.1", process.port), timeout=30) as silent:
        assert echo(process.port, context) == 0
        assert silent.recv(1) == b""


@pytest.mark.slow
def test_results_are_sent_with_tls_to_a_verified_destination(node, authority, slices):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = authority.pair("pacs")
    server.load_cert_chain(pair.cert, pair.key)
    server.load_verify_locations(authority.path)
    server.verify_mode = ssl.CERT_REQUIRED
    pacs = Pacs(ssl_context=server)
    own = authority.pair("node")
    options = ("--tls-cert", own.cert, "--tls-key", own.key, "--tls-ca", authority.path, "--forward-tls")
    process = node(
        *options, "--method", "fbp", "--quiet-seconds", 1, "--min-free-mb", 0, forward=pacs.address
    )
    context = authority.client(authority.pair("scanner"))
    send(process.port, slices, tls_args=(context, "127.0.0.1"))
    wait_for(lambda: process.states() == ["sent"], 180)
    pacs.stop()
    assert len(pacs.objects) == 3


def test_a_destination_that_cannot_be_verified_gets_nothing(authority, tmp_path, settings, queue, small):
    from dataclasses import replace
    from threading import Event

    from resample_ct.node.sender import Sender
    from resample_ct.node.settings import Peer, Tls

    false = Authority(tmp_path, "false").pair("pacs")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(false.cert, false.key)
    pacs = Pacs(ssl_context=server)
    own = authority.pair("node")
    (dataset,) = small(1)
    dataset.save_as(tmp_path / "result.dcm")
    queue.add("1.2.3", "1.2", tmp_path / "source.dcm", "digest")
    queue.queue_quiet(0)
    results = [(str(dataset.SOPInstanceUID), tmp_path / "result.dcm")]
    queue.reconstructed(queue.start_next().number, results)
    settings = replace(
        settings,
        tls=Tls(own.cert, own.key, authority.path),
        forward_tls=True,
        forward=Peer("PACS", "127.0.0.1", pacs.port),
    )
    Sender(settings, queue, Event()).step()
    pacs.stop()
    assert pacs.received == [] and queue.rows()[0].job.state == "sending"
