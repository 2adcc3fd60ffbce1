"""Nodes, a PACS and small instances."""

from __future__ import annotations

import copy
import gc
import warnings
from pathlib import Path

import pydicom
import pytest
from peers import NodeProcess, Pacs
from pydicom.uid import generate_uid

from resample_ct.node.folder import StateFolder
from resample_ct.node.queue import Queue
from resample_ct.node.settings import Limits, NodeSettings, Peer


def pytest_collection_modifyitems(items):
    """pynetdicom leaves the socket of a refused or broken connection to the garbage collector."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning"))


@pytest.fixture(autouse=True)
def sockets_that_pynetdicom_leaves_open():
    """They are collected before another test is blamed for them."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def pacs():
    """Where the node sends its results."""
    pacs = Pacs()
    yield pacs
    pacs.stop()


@pytest.fixture
def node(tmp_path, pacs):
    """Starts nodes on one folder; whatever still runs in the end is killed."""
    started = []

    def start(*options, forward=None, program=None):
        process = NodeProcess(tmp_path / "state", forward or pacs.address, *options, program=program)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


@pytest.fixture(scope="module")
def waiting_node(tmp_path_factory):
    """A node that receives and never takes a series to be complete."""
    folder = tmp_path_factory.mktemp("node") / "state"
    process = NodeProcess(folder, "PACS@127.0.0.1:1", "--quiet-seconds", "9999", "--min-free-mb", "0")
    yield process
    process.kill()


@pytest.fixture(scope="session")
def slices(sample_series):
    """Three real slices."""
    return sorted(sample_series.glob("*.dcm"))[:3]


@pytest.fixture
def small(sample_series):
    """Makes instances of 16 x 16 pixels with a real header, in one new series."""
    real = pydicom.dcmread(min(sample_series.glob("*.dcm")))
    real.Rows = real.Columns = 16
    real.PixelData = bytes(512)

    def make(count, series_uid=None):
        series_uid = series_uid or generate_uid()
        found = []
        for number in range(count):
            dataset = copy.deepcopy(real)
            dataset.SeriesInstanceUID = series_uid
            dataset.SOPInstanceUID = generate_uid()
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.InstanceNumber = number + 1
            found.append(dataset)
        return found

    return make


@pytest.fixture
def folder(tmp_path):
    """A node's folder."""
    folder = StateFolder(tmp_path / "state")
    folder.make()
    return folder


@pytest.fixture
def queue(folder):
    """Its queue."""
    queue = Queue(folder.queue)
    yield queue
    queue.close()


@pytest.fixture
def settings(tmp_path, pacs):
    """A node's settings with short times."""
    return NodeSettings(
        aet="RESAMPLE",
        bind="127.0.0.1",
        port=0,
        forward=Peer("PACS", "127.0.0.1", pacs.port),
        folder=tmp_path / "state",
        quiet_seconds=1.0,
        keep_days=1.0,
        allow=(),
        limits=Limits(free_bytes=0, timeout_seconds=2.0),
        tls=None,
        forward_tls=False,
        log_identity=False,
        arguments=("--method", "fbp"),
    )


@pytest.fixture
def killing_program():
    """Runs the command line and ends by SIGKILL at a named point."""
    return lambda point, count=1: [str(Path(__file__).parent.parent / "kill_at.py"), point, str(count)]
