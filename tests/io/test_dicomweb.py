"""Studies from a real DICOMweb server and back, and every way in which one can let us down."""

from __future__ import annotations

import json
import ssl
import stat
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pydicom
import pytest
from orthanc import Orthanc
from peers import COMMAND

from resample_ct.errors import NetworkError, OptionError
from resample_ct.io import dicomweb
from resample_ct.io.dicomweb import DicomwebUrl

USERS = {"reader": "s3cret/pass"}


@pytest.fixture(scope="module")
def pacs(tmp_path_factory, sample_series):
    """An Orthanc that asks for credentials and holds three slices of the sample series."""
    server = Orthanc(tmp_path_factory.mktemp("orthanc") / "pacs", users=USERS)
    server.upload(sorted(sample_series.glob("*.dcm"))[:3])
    yield server
    server.stop()


@pytest.fixture
def credentials(monkeypatch, tmp_path):
    """The reader's, from the environment; and no netrc of the machine's."""
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv(dicomweb.USER, "reader")
    monkeypatch.setenv(dicomweb.PASSWORD, USERS["reader"])


@pytest.fixture(scope="session")
def source(sample_series):
    """The first of the slices."""
    return pydicom.dcmread(min(sample_series.glob("*.dcm")))


def study_url(pacs, source):
    return DicomwebUrl.parse(f"{pacs.dicomweb}/studies/{source.StudyInstanceUID}")


def call(*arguments):
    return subprocess.run(
        [sys.executable, *COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


# The URL


@pytest.mark.parametrize(
    "text, expected",
    [
        ("dicomweb+https://h/dicom-web", ("https://h/dicom-web", None, None)),
        ("dicomweb+https://h:8443/a/b/studies/1.2", ("https://h:8443/a/b", "1.2", None)),
        ("dicomweb+https://h/studies/1.2/series/3.4/", ("https://h", "1.2", "3.4")),
        ("dicomweb+http://localhost:8042/x/studies/1", ("http://localhost:8042/x", "1", None)),
        ("dicomweb+http://127.0.0.1:8042/x", ("http://127.0.0.1:8042/x", None, None)),
    ],
)
def test_a_url_is_root_study_and_series(text, expected):
    url = DicomwebUrl.parse(text)
    assert (url.base, url.study, url.series) == expected
    assert str(url) == text.rstrip("/")


@pytest.mark.parametrize(
    "text, told",
    [
        ("dicomweb+http://pacs.hospital/dicom-web/studies/1", "clear text"),
        ("dicomweb+http://localhost.evil.org/studies/1", "clear text"),
        ("dicomweb+ftp://h/studies/1", "not understood"),
        ("dicomweb+https:///studies/1", "not understood"),
        ("dicomweb+https://h/studies/../etc", "not understood"),
        ("dicomweb+https://h/studies/1?a=b", "query"),
        ("dicomweb+https://h:99999/studies/1", "not a URL"),
    ],
)
def test_other_urls_are_refused(text, told):
    with pytest.raises(OptionError, match=told):
        DicomwebUrl.parse(text)


def test_credentials_in_a_url_are_refused_and_not_repeated():
    with pytest.raises(OptionError) as caught:
        DicomwebUrl.parse("dicomweb+https://me:hunter2@host/studies/1")
    assert "hunter2" not in str(caught.value) and dicomweb.PASSWORD in str(caught.value)


# A real server


def test_a_study_is_fetched_as_the_server_has_it_and_deleted_afterwards(
    pacs, credentials, source, sample_series, tmp_path
):
    with dicomweb.fetched(study_url(pacs, source), None, tmp_path / "source") as folder:
        fetched = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, folder.iterdir())}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    originals = [pydicom.dcmread(p) for p in sorted(sample_series.glob("*.dcm"))[:3]]
    assert [fetched[d.SOPInstanceUID] == d for d in originals] == [True] * 3
    assert len(fetched) == 3 and not folder.exists()


def test_reconstruct_takes_a_url_and_stores_the_result_in_the_same_study(
    pacs, credentials, source, tmp_path
):
    out = tmp_path / "out"
    url = f"{study_url(pacs, source)}/series/{source.SeriesInstanceUID}"
    result = call("reconstruct", url, "--method", "fbp", "--out", out, "--store", pacs.dicomweb)
    assert result.returncode == 0, result.stderr
    written = list(map(pydicom.dcmread, (out / "dicom").rglob("*.dcm")))
    assert f"stored {len(written)} instances" in result.stdout
    found = pacs.get(f"/dicom-web/studies/{source.StudyInstanceUID}/series").json()
    numbers = {row["0020000E"]["Value"][0]: row["00201209"]["Value"][0] for row in found}
    assert numbers.pop(str(source.SeriesInstanceUID)) == 3
    assert numbers == Counter(str(dataset.SeriesInstanceUID) for dataset in written)
    run = (out / "run.json").read_text()
    assert json.loads(run)["job"]["fetched_from"] == url
    assert USERS["reader"] not in run + result.stdout + result.stderr
    assert not (tmp_path / "out.source").exists()
    # The study has two CT series now: one must be chosen.
    with (
        pytest.raises(NetworkError, match="found 2 CT series, expected one; choose with --series"),
        dicomweb.fetched(study_url(pacs, source), None, tmp_path / "source"),
    ):
        pass
    chosen = str(source.SeriesInstanceUID)
    with dicomweb.fetched(study_url(pacs, source), chosen, tmp_path / "source") as folder:
        assert {pydicom.dcmread(p).SeriesInstanceUID for p in folder.iterdir()} == {chosen}


def test_credentials_come_from_netrc_too(pacs, source, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login reader password {USERS['reader']}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    chosen = str(source.SeriesInstanceUID)
    with dicomweb.fetched(study_url(pacs, source), chosen, tmp_path / "source") as folder:
        assert len(list(folder.iterdir())) == 3


def test_without_credentials_the_message_says_where_they_go(pacs, source, tmp_path, monkeypatch):
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    result = call("reconstruct", study_url(pacs, source), "--method", "fbp", "--out", tmp_path / "out")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    assert "answered 401" in line and dicomweb.USER in line
    assert [p.name for p in tmp_path.iterdir()] == []


def test_unknown_studies_and_series_are_told(pacs, credentials, source, tmp_path):
    study = DicomwebUrl.parse(f"{pacs.dicomweb}/studies/1.2.3")
    with (
        pytest.raises(NetworkError, match="no such study"),
        dicomweb.fetched(study, None, tmp_path / "source"),
    ):
        pass
    with (
        pytest.raises(NetworkError, match=r"found no series 1\.2\.3"),
        dicomweb.fetched(study_url(pacs, source), "1.2.3", tmp_path / "source"),
    ):
        pass


def test_a_wrong_root_is_told(pacs, credentials, source, tmp_path):
    url = DicomwebUrl.parse(f"{pacs.dicomweb}-not/studies/{source.StudyInstanceUID}")
    with pytest.raises(NetworkError, match="404"), dicomweb.fetched(url, None, tmp_path / "source"):
        pass


def test_a_url_without_a_study_is_no_source(pacs, tmp_path):
    with (
        pytest.raises(OptionError, match="names no study"),
        dicomweb.fetched(DicomwebUrl.parse(pacs.dicomweb), None, tmp_path / "source"),
    ):
        pass


def test_store_takes_a_servers_root_alone():
    with pytest.raises(OptionError, match="--store"):
        dicomweb.server("dicomweb+https://h/dicom-web/studies/1.2")
    with pytest.raises(OptionError, match="--store"):
        dicomweb.server("https://h/dicom-web")


# Servers that let us down


class Stub(BaseHTTPRequestHandler):
    """Answers every request with what the test wants."""

    def _answer(self):
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        status, kind, body = self.server.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer

    def log_message(self, *arguments):
        pass


@pytest.fixture
def stub(monkeypatch, tmp_path):
    """A server whose `answer(path)` gives status, content type and body."""
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    server.seen = []
    server.url = DicomwebUrl.parse(f"dicomweb+http://127.0.0.1:{server.server_port}/root/studies/1.2")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def fetch(stub, tmp_path):
    with dicomweb.fetched(stub.url, None, tmp_path / "source"):
        pass


@pytest.mark.parametrize(
    "answer, told",
    [
        ((500, "text/plain", b"oops"), "500"),
        ((403, "text/plain", b""), "credentials"),
        ((302, "text/plain", b""), "points to another address"),
        ((200, "text/html", b"<html>log in</html>"), "not DICOMweb"),
        ((200, "application/dicom+json", b"[]"), "no such study"),
        ((204, "application/dicom+json", b""), "no such study"),
        ((200, "application/dicom+json", b'[{"00080060": {"vr": "CS"}}]'), "not DICOMweb"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]} {value[1]}",
)
def test_answers_that_are_none_end_in_one_line(stub, tmp_path, answer, told):
    stub.answer = lambda path: answer
    with pytest.raises(NetworkError, match=told) as caught:
        fetch(stub, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "source").exists()


def test_fewer_instances_than_announced_are_not_a_study(stub, tmp_path, source):
    row = pydicom.Dataset()
    row.SeriesInstanceUID, row.Modality, row.NumberOfSeriesRelatedInstances = "3.4", "CT", 2
    part = tmp_path / "part.dcm"
    source.save_as(part)
    body = b"--B\r\nContent-Type: application/dicom\r\n\r\n" + part.read_bytes() + b"\r\n--B--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=B'

    def answer(path):
        if "/series/3.4" in path:
            return 200, kind, body
        return 200, "application/dicom+json", f"[{row.to_json()}]".encode()

    stub.answer = answer
    with pytest.raises(NetworkError, match="found 1 instances, expected 2"):
        fetch(stub, tmp_path)
    assert not (tmp_path / "source").exists()


def test_no_server_is_told(tmp_path):
    url = DicomwebUrl.parse("dicomweb+http://127.0.0.1:1/root/studies/1.2")
    with (
        pytest.raises(NetworkError, match="ConnectionError") as caught,
        dicomweb.fetched(url, None, tmp_path / "source"),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_a_token_is_sent_and_netrc_does_not_replace_it(stub, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv(dicomweb.TOKEN, "abc.def")
    stub.answer = lambda path: (200, "application/dicom+json", b"[]")
    with pytest.raises(NetworkError):
        fetch(stub, tmp_path)
    assert [authorization for _, authorization in stub.seen] == ["Bearer abc.def"]


def response(stored, failed):
    answer = pydicom.Dataset()
    answer.ReferencedSOPSequence, answer.FailedSOPSequence = [], []
    for uid in stored:
        item = pydicom.Dataset()
        item.ReferencedSOPInstanceUID = uid
        answer.ReferencedSOPSequence.append(item)
    for uid in failed:
        item = pydicom.Dataset()
        item.ReferencedSOPInstanceUID, item.FailureReason = uid, 0x0110
        answer.FailedSOPSequence.append(item)
    return answer.to_json().encode()


@pytest.mark.parametrize(
    "failing, told",
    [
        (lambda a, b: (202, "application/dicom+json", response([a], [b])), "1 of 2 instances.*0110"),
        (lambda a, b: (200, "application/dicom+json", response([a], [])), "1 of 2 instances.*no reason"),
        (lambda a, b: (200, "application/dicom+json", b""), "0 of 2 instances"),
        (lambda a, b: (409, "application/dicom+json", response([], [a, b])), "409"),
        (lambda a, b: (401, "text/plain", b""), "credentials"),
    ],
    ids=["partly", "silent about one", "silent", "none", "not allowed"],
)
def test_what_a_server_does_not_confirm_is_not_stored(stub, sample_series, failing, told):
    files = sorted(sample_series.glob("*.dcm"))[:2]
    uids = [str(pydicom.dcmread(f, stop_before_pixels=True).SOPInstanceUID) for f in files]
    stub.answer = lambda path: failing(*uids)
    url = dicomweb.server(str(stub.url).partition("/studies")[0])
    with pytest.raises(NetworkError, match=told):
        dicomweb.store(url, files)


def test_a_certificate_that_cannot_be_verified_is_refused(stub, tmp_path, monkeypatch):
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    make += " -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    subprocess.run(make.split(), cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    stub.socket = context.wrap_socket(stub.socket, server_side=True)
    stub.answer = lambda path: (200, "application/dicom+json", b"[]")
    stub.url = DicomwebUrl.parse(f"dicomweb+https://localhost:{stub.server_port}/root/studies/1.2")
    with pytest.raises(NetworkError, match="SSLError"):
        fetch(stub, tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "cert.pem"))
    with pytest.raises(NetworkError, match="no such study"):
        fetch(stub, tmp_path)
