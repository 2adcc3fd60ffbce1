"""OHIF beside Orthanc, as docs/ohif.md sets it up: one address for the viewer and the PACS's DICOMweb."""

from __future__ import annotations

import mimetypes
import os
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

# Where `.ci/run` has unpacked the npm package @ohif/app.
FOLDER = "RESAMPLE_CT_OHIF"


def config():
    """`app-config.js` as the how-to gives it."""
    page = Path(__file__).parent.parent / "docs" / "ohif.md"
    return re.search(r"```js\n(.*?)```", page.read_text(), re.DOTALL)[1]


class _Handler(BaseHTTPRequestHandler):
    """Files of the viewer, its page for every address that is no file, and the PACS below /dicom-web."""

    dist: Path
    pacs: str
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path.startswith("/dicom-web/"):
            found = requests.get(
                self.pacs + self.path,
                headers={"Accept": self.headers.get("Accept", "*/*"), "Host": self.headers["Host"]},
                timeout=60,
            )
            self._answer(found.content, found.headers.get("Content-Type", ""), found.status_code)
        elif path == "/app-config.js":
            self._answer(config().encode(), "text/javascript")
        else:
            file = self.dist / path.lstrip("/")
            file = file if file.is_file() else self.dist / "index.html"
            self._answer(file.read_bytes(), mimetypes.guess_type(file.name)[0] or "text/html")

    def _answer(self, content, kind, status=200):
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            # What the browser asks for before it lets a page share memory between its threads.
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Embedder-Policy", "require-corp"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Nothing on the tests' output."""


@contextmanager
def ohif(pacs):
    """The viewer's address, beside a running Orthanc; the test is skipped where there is no OHIF."""
    dist = Path(os.environ.get(FOLDER, "")) / "dist"
    if not (dist / "index.html").is_file():
        pytest.skip(f"needs the npm package @ohif/app, unpacked where {FOLDER} says (.ci/run does)")
    handler = type("Handler", (_Handler,), {"dist": dist, "pacs": pacs.root})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
