"""Options of a node: what is refused before it listens."""

from __future__ import annotations

import subprocess
import sys

import pytest
from peers import COMMAND

from resample_ct.errors import OptionError
from resample_ct.node.settings import Peer, check_aet

NODE = ("node", "--aet", "RESAMPLE", "--forward", "PACS@127.0.0.1:104", "--folder", "{tmp}/state")


def call(*arguments):
    return subprocess.run(
        [sys.executable, *COMMAND, *arguments], capture_output=True, text=True, timeout=120
    )


def test_a_destination_is_title_host_and_port():
    assert Peer.parse("PACS@pacs.hospital:104") == Peer("PACS", "pacs.hospital", 104)
    assert Peer.parse("MY PACS@[::1]:11112") == Peer("MY PACS", "::1", 11112)


@pytest.mark.parametrize(
    "text", ["PACS", "PACS@host", "@host:104", "PACS@host:0", "PACS@host:70000", "A@B@c:1"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(OptionError, match="--forward"):
        Peer.parse(text)


@pytest.mark.parametrize("title", ["", "   ", "A" * 17, "A\\B", "Ä", "A\nB"])
def test_what_dicom_does_not_allow_as_a_title_is_refused(title):
    with pytest.raises(OptionError, match="--aet"):
        check_aet("--aet", title)


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("--aet", "A" * 17), "--aet"),
        (("--forward", "PACS"), "--forward PACS"),
        (("--quiet-secs", "3"), "--quiet-secs"),
        (("--method", "magic"), "magic"),
        (("--resume",), "--resume is not for a node"),
        (("--series", "1.2"), "--series is not for a node"),
        (("study",), "unexpected"),
        (("--out", "elsewhere"), "unexpected"),
        (("--tls-cert", "a.pem"), "--tls-key"),
        (("--forward-tls",), "--tls-cert"),
        (("--tls-cert", "{tmp}/a", "--tls-key", "{tmp}/b"), "--tls-cert"),
        (("--bind", "192.0.2.1"), "--bind 192.0.2.1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_mistakes_end_in_one_line(tmp_path, arguments, told):
    result = call(*(part.format(tmp=tmp_path) for part in (*NODE, "--port", "0", *arguments)))
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    line = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    assert len(line) == 1 and told in line[0]


@pytest.mark.parametrize("missing", ["aet", "forward"])
def test_what_a_node_needs_is_asked_for(tmp_path, missing):
    given = {"aet": "RESAMPLE", "forward": "PACS@127.0.0.1:104", "folder": str(tmp_path)}
    del given[missing]
    result = call("node", *(part for key, value in given.items() for part in (f"--{key}", value)))
    assert result.returncode == 2 and f"Missing option '--{missing}'" in result.stderr


def test_status_of_a_folder_without_a_queue_is_refused(tmp_path):
    result = call("node", "--status", "--folder", str(tmp_path))
    assert result.returncode == 1 and "holds no queue.sqlite" in result.stderr
