"""The other ends of a node's wires: a sender, a PACS that keeps what it is sent, a node as a process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pydicom
from pydicom.uid import CTImageStorage
from pynetdicom import AE, evt

from resample_ct.node.folder import StateFolder
from resample_ct.node.queue import Queue

COMMAND = ("-c", "from resample_ct.cli import main; main()")
QUICK = ("--method", "fbp", "--quiet-seconds", "1", "--min-free-mb", "0")


# A busy machine must not fail a test.
PATIENCE = 3


def wait_for(condition, seconds=90.0):
    """Poll until `condition()` is true and return what it gave; thrice as long as it should take."""
    end = time.monotonic() + PATIENCE * seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:g} s for {condition.__qualname__}")


class Pacs:
    """A storage SCP that keeps every C-STORE in the order of arrival and answers with `status`."""

    def __init__(self, aet="PACS", contexts=(CTImageStorage,), ssl_context=None):
        self.received: list[pydicom.Dataset] = []
        self.status = 0x0000
        self.hang = threading.Event()
        self.hang.set()
        self.aet = aet
        self._entity = AE(aet)
        for context in contexts:
            self._entity.add_supported_context(*(context if isinstance(context, tuple) else (context,)))
        self._ssl = ssl_context
        self.port = 0
        self.start()

    def start(self):
        self._server = self._entity.start_server(
            ("127.0.0.1", self.port),
            block=False,
            evt_handlers=[(evt.EVT_C_STORE, self._store)],
            ssl_context=self._ssl,
        )
        self.port = self._server.server_address[1]

    def _store(self, event):
        self.hang.wait(60)
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        self.received.append(dataset)
        return self.status

    @property
    def address(self):
        return f"{self.aet}@127.0.0.1:{self.port}"

    @property
    def objects(self):
        """What a PACS has in the end: one object for each SOPInstanceUID."""
        return {str(d.SOPInstanceUID): d for d in self.received}

    def series(self):
        """SOPInstanceUIDs of each series."""
        found: dict[str, set[str]] = {}
        for uid, dataset in self.objects.items():
            found.setdefault(str(dataset.SeriesInstanceUID), set()).add(uid)
        return found

    def stop(self):
        self.hang.set()
        self._server.shutdown()


class NodeProcess:
    """`resample-ct node` as a user starts it."""

    def __init__(self, folder, forward, *options, program=None):
        self.folder = folder
        self._log = Path(f"{folder}.log")
        self._seen = self._log.stat().st_size if self._log.exists() else 0
        program = program or COMMAND
        arguments = ("--aet", "RESAMPLE", "--port", "0", "--folder", str(folder), "--forward", forward)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *program, "node", *arguments, *map(str, options)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            )

    @property
    def log(self):
        """All that this process and those before it in the folder have logged."""
        return self._log.read_text()

    @property
    def port(self):
        def listens():
            assert self.process.poll() is None, self.log
            return re.search(r"listens at [\d.]+:(\d+)", self.log[self._seen :])

        return int(wait_for(listens)[1])

    def kill(self):
        """SIGKILL, as the kernel does it; a process that is gone already is fine."""
        self.process.kill()
        return self.process.wait()

    def stop(self):
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def status(self):
        """What `--status` prints of each job: series, state, the whole line."""
        result = subprocess.run(
            [sys.executable, *COMMAND, "node", "--status", "--folder", str(self.folder)],
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        rows = [line.split("│") for line in result.stdout.splitlines() if line.startswith("│")]
        return [[cell.strip() for cell in row[1:-1]] for row in rows]

    def states(self):
        """The state of each job, from the queue's file itself: it is asked for again and again."""
        queue = Queue(StateFolder(self.folder).queue, read_only=True)
        try:
            return [row.job.state for row in queue.rows()]
        finally:
            queue.close()


def associate(port, contexts=(CTImageStorage,), calling="SCANNER", called="RESAMPLE", **options):
    """An association with a node on this machine."""
    entity = AE(calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 30
    for context in contexts:
        entity.add_requested_context(*(context if isinstance(context, tuple) else (context,)))
    return entity.associate("127.0.0.1", port, ae_title=called, **options)


def send(port, datasets, **options):
    """C-STORE data sets or files; the status of each answer, None where there was none."""
    association = associate(port, **options)
    assert association.is_established
    answers = [association.send_c_store(dataset) for dataset in datasets]
    association.release()
    return [answer.get("Status") for answer in answers]
