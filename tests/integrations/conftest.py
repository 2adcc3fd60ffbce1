"""What other programs start: our command line as a program, and a real PACS that runs it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from orthanc import PLUGINS, Orthanc, skip_without_orthanc

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "integrations" / "orthanc" / "resample_ct_plugin.py"


@pytest.fixture(scope="session")
def command(tmp_path_factory):
    """`resample-ct` of this checkout as an executable file."""
    path = tmp_path_factory.mktemp("bin") / "resample-ct"
    program = "from resample_ct.cli import main; main()"
    path.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -c "{program}" "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def pacs_with_plugin(command):
    """Starts an Orthanc with our plugin; `folder` keeps its store and the plugin's jobs."""
    skip_without_orthanc()
    if not (PLUGINS / "libOrthancPython.so").exists():
        pytest.skip("needs Debian's orthanc-python (.ci/run installs it)")

    started = []

    def start(folder, stable_age=1, **settings):
        settings = {
            "Command": str(command),
            "Options": ["--method", "fbp"],
            "Folder": str(folder / "resample-ct"),
            "MinFreeMb": 0,
        } | settings
        server = Orthanc(
            folder,
            Plugins=["libOrthancPython.so"],
            PythonScript=str(PLUGIN),
            ResampleCT=settings,
            StableAge=stable_age,
        )
        started.append(server)
        return server

    yield start
    for server in started:
        server.kill()
