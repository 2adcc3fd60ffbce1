"""A real PACS: Debian's Orthanc with its DICOMweb and web viewer plugins, on loopback."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
import requests
from peers import wait_for

PLUGINS = Path("/usr/share/orthanc/plugins")
NEEDED = ("libOrthancDicomWeb.so", "libOrthancWebViewer.so")


def skip_without_orthanc():
    """Skip the test, with the reason, where Debian's packages are not installed."""
    missing = [name for name in NEEDED if not (PLUGINS / name).exists()]
    if shutil.which("Orthanc") is None or missing:
        pytest.skip(
            "needs Debian's orthanc, orthanc-dicomweb and orthanc-webviewer (.ci/run installs them)"
        )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Orthanc:
    """A server, on an empty store where the folder is new; `users` turn authentication on.

    `settings` are further ones of its configuration; they may add to "Plugins".
    """

    aet = "ORTHANC"

    def __init__(self, folder, users=None, **settings):
        skip_without_orthanc()
        folder.mkdir(exist_ok=True)
        self.http_port, self.dicom_port = free_port(), free_port()
        plugins = [str(PLUGINS / name) for name in (*NEEDED, *settings.pop("Plugins", ()))]
        settings = (
            {"StableAge": 1}
            | settings
            | {
                "Name": "test",
                "StorageDirectory": str(folder / "storage"),
                "IndexDirectory": str(folder / "storage"),
                "Plugins": plugins,
                "HttpPort": self.http_port,
                "DicomPort": self.dicom_port,
                "DicomAet": self.aet,
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": users is not None,
                "RegisteredUsers": users or {},
                "DicomAlwaysAllowStore": True,
                "WebViewer": {"CachePath": str(folder / "cache")},
                "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            }
        )
        (folder / "orthanc.json").write_text(json.dumps(settings))
        self.auth = next(iter(users.items())) if users else None
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=subprocess.STDOUT
            )
        self.log = folder / "log"
        wait_for(self.answers, 60)

    def answers(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/system").ok
        except requests.ConnectionError:
            return False

    def get(self, path, **options):
        """GET from its REST interface."""
        return requests.get(f"{self.root}{path}", auth=self.auth, timeout=30, **options)

    def post(self, path, data=b"", **options):
        """POST to its REST interface."""
        return requests.post(f"{self.root}{path}", data=data, auth=self.auth, timeout=30, **options)

    @property
    def root(self):
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicomweb(self):
        return f"dicomweb+http://127.0.0.1:{self.http_port}/dicom-web"

    @property
    def address(self):
        return f"{self.aet}@127.0.0.1:{self.dicom_port}"

    def upload(self, files):
        for file in files:
            self.post("/instances", Path(file).read_bytes()).raise_for_status()

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def kill(self):
        """SIGKILL, as a power cut does it."""
        self.process.kill()
        self.process.wait(30)
