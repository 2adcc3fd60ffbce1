"""A volume on a Dask cluster: the local result, bit by bit, whoever is lost on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import nibabel
import numpy as np
import pydicom
import pytest

from resample_ct.errors import NetworkError, OptionError, PriorError
from resample_ct.reconstruct.resample_settings import settings_from
from resample_ct.run import cluster, pipeline
from resample_ct.run.cluster import Terms, on_worker
from resample_ct.run.job import Job
from resample_ct.run.networks import read_models
from resample_ct.run.outputs import versions

SETTINGS = settings_from("general", ["steps=2", "pixel=ridge:0.04,2", "final=ridge:0.04,2"])


@pytest.fixture
def job(series, tiny_bundle, tmp_path):
    return Job(
        source=series(4),
        out=tmp_path / "out",
        methods=("cgls", "resample"),
        batch=1,
        bundles={"prior": tiny_bundle},
        settings=SETTINGS,
    )


@pytest.fixture
def scheduler(tmp_path):
    """A scheduler on loopback: its address, and a function that starts one more worker."""
    file = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = []

    def start(*arguments):
        command = [sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(file)]
        processes.append(subprocess.Popen([*command, "--no-dashboard"], cwd=tmp_path, **quiet))
        return processes[-1]

    def worker():
        return start("worker", "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")

    first = start("scheduler", "--port", "0", "--host", "127.0.0.1")
    while not (file.exists() and file.stat().st_size):
        assert first.poll() is None, "the scheduler did not start"
        time.sleep(0.1)
    yield json.loads(file.read_text())["address"], worker
    for process in processes:
        process.kill()
        process.wait()


def images(out, method):
    """What a viewer is shown."""
    volume = np.asarray(nibabel.load(out / f"{method}.nii.gz").dataobj)
    files = sorted((out / "dicom" / method).glob("*.dcm"))
    return volume, [pydicom.dcmread(path).PixelData for path in files]


def figures(out):
    """The records, without how long they took."""
    return [record | {"seconds": None} for record in json.loads((out / "metrics.json").read_text())]


@pytest.mark.slow
def test_a_worker_killed_midway_changes_nothing(job, scheduler, tmp_path):
    address, worker = scheduler
    workers = [worker(), worker()]
    distributed = pytest.importorskip("distributed")
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=120)
    told = []

    def kill_one(done, total, name):
        told.append((done, name))
        if len(told) == 2:
            os.kill(workers[0].pid, signal.SIGKILL)

    pipeline.reconstruct(job, resume=False, progress=kill_one, cluster=address)
    assert workers[0].wait() == -signal.SIGKILL and workers[1].poll() is None
    assert max(done for done, _ in told) == 8

    local = replace(job, out=tmp_path / "local")
    pipeline.reconstruct(local, resume=False)
    for method in job.methods:
        volume, pixels = images(job.out, method)
        expected_volume, expected_pixels = images(local.out, method)
        np.testing.assert_array_equal(volume, expected_volume)
        assert pixels == expected_pixels and len(pixels) == 4
    assert figures(job.out) == figures(local.out)


def test_no_scheduler_is_named_and_what_was_done_can_be_resumed(job, monkeypatch):
    monkeypatch.setattr(cluster, "_SECONDS_TO_CONNECT", 1)
    with pytest.raises(NetworkError, match=r"--cluster tcp://127.0.0.1:9: no scheduler answers"):
        pipeline.reconstruct(job, resume=False, cluster="tcp://127.0.0.1:9")
    assert not job.out.exists()
    pipeline.reconstruct(job, resume=True)
    assert job.out.exists()


def test_without_dask_the_extra_is_named(job, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(OptionError, match=r"pip install 'resample-ct\[cluster\]'"):
        pipeline.reconstruct(job, resume=False, cluster="tcp://127.0.0.1:9")


@pytest.fixture
def terms(job):
    return Terms(job, read_models(job).record(), versions(), 1)


def test_a_worker_with_other_weights_is_refused(terms):
    wrong = {"prior": terms.models["prior"] | {"sha256": "0" * 64}}
    with pytest.raises(
        PriorError, match=rf"worker's --prior is tiny with sha256 .* tiny with {'0' * 64}"
    ):
        on_worker(lambda *_: None, replace(terms, models=wrong), None, "resample", None)


def test_a_worker_with_another_torch_is_refused(terms):
    wrong = replace(terms, versions=terms.versions | {"torch": "1.0"})
    with pytest.raises(PriorError, match=r"a worker has torch .*, expected the client's 1.0"):
        on_worker(lambda *_: None, wrong, None, "resample", None)


def test_a_worker_is_sent_nothing_that_names_the_patient(job, monkeypatch):
    """What leaves for the cluster, pickled: no name, no number, no header."""
    sent = []

    class Sent(Exception):
        pass

    class Client:
        loop = object()

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def nthreads(self):
            return {"worker": 1}

        def submit(self, function, *arguments, **options):
            from cloudpickle import dumps

            sent.append(dumps(arguments))
            raise Sent

    monkeypatch.setattr(cluster, "_connected", lambda *_: Client())
    with pytest.raises(Sent):
        pipeline.reconstruct(job, resume=False, cluster="tcp://127.0.0.1:9")
    header = pydicom.dcmread(next(iter(sorted(job.source.glob("*.dcm")))))
    for value in (header.PatientID, str(header.PatientName), header.StudyInstanceUID):
        assert value.encode() not in sent[0]
