"""The whole way through a real PACS: in by C-STORE, back in the same study, seen in its viewer."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
import requests
from browser import chromium, likeness
from orthanc import Orthanc
from peers import QUICK, send, wait_for
from PIL import Image

pytestmark = pytest.mark.slow

# Kept by CI.
SCREENSHOT = Path(__file__).parents[2] / "artifacts" / "orthanc-web-viewer.png"


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    server = Orthanc(tmp_path_factory.mktemp("pacs") / "orthanc")
    yield server
    server.stop()


@pytest.fixture
def browser(tmp_path):
    with chromium(tmp_path / "chromium", "disable-gpu") as browser:
        yield browser


def ask(orthanc, node):
    """Tell Orthanc where the node is, and have it send all that it holds there by C-STORE."""
    root = f"http://127.0.0.1:{orthanc.http_port}"
    address = {"AET": "RESAMPLE", "Host": "127.0.0.1", "Port": node.port}
    requests.put(f"{root}/modalities/node", json=address, timeout=30).raise_for_status()
    studies = orthanc.get("/studies").json()
    order = {"Resources": studies, "Synchronous": True, "Permissive": True}
    requests.post(f"{root}/modalities/node/store", json=order, timeout=120).raise_for_status()


def qido(orthanc, study):
    """CT series of a study: UID, description, number of instances."""
    fields = "includefield=SeriesDescription&includefield=NumberOfSeriesRelatedInstances"
    rows = orthanc.get(f"/dicom-web/studies/{study}/series?Modality=CT&{fields}").json()
    found = map(pydicom.Dataset.from_json, rows)
    return {
        str(s.SeriesInstanceUID): (s.SeriesDescription, s.NumberOfSeriesRelatedInstances) for s in found
    }


def show(browser, orthanc, series_uid):
    """Open a series in the web viewer.

    Returns the screenshot's pixels inside its image, and the window's centre and width there.
    """
    (series,) = [
        s
        for s in orthanc.get("/series?expand").json()
        if s["MainDicomTags"]["SeriesInstanceUID"] == series_uid
    ]
    root = f"http://127.0.0.1:{orthanc.http_port}/web-viewer/app/viewer.html"
    browser.get(f"{root}?series={series['ID']}")
    SCREENSHOT.parent.mkdir(exist_ok=True)

    def drawn():
        browser.save_screenshot(str(SCREENSHOT))
        boxes = browser.execute_script(
            "return [...document.querySelectorAll('canvas')].map(c => c.getBoundingClientRect().toJSON())"
        )
        if len(boxes) != 1:
            return None
        (box,) = boxes
        side = min(box["width"], box["height"])
        left = box["x"] + (box["width"] - side) / 2
        top = box["y"] + (box["height"] - side) / 2
        with Image.open(SCREENSHOT) as image:
            inside = image.convert("RGB").crop(tuple(map(round, (left, top, left + side, top + side))))
        pixels = np.asarray(inside).astype(float)
        # Before the image there are words on black.
        if (pixels > 0).mean() < 0.2:
            return None
        words = browser.execute_script("return document.body.innerText")
        width, centre = map(float, re.search(r"WW/WL:\s*(-?\d+)/(-?\d+)", words).groups())
        return pixels, (centre, width)

    return wait_for(drawn, 60)


def test_a_study_comes_back_in_the_same_study_and_is_seen(orthanc, node, slices, browser):
    source = pydicom.dcmread(slices[0])
    assert send(orthanc.dicom_port, slices, called=orthanc.aet) == [0, 0, 0]
    process = node(*QUICK, forward=orthanc.address)
    ask(orthanc, process)
    wait_for(lambda: process.states() == ["sent"], 300)

    found = qido(orthanc, source.StudyInstanceUID)
    assert found.pop(str(source.SeriesInstanceUID))[1] == 3
    ((series_uid, (description, count)),) = found.items()
    assert count == 3 and "FBP" in description and "(research)" in description
    assert len(orthanc.get("/studies").json()) == len(orthanc.get("/patients").json()) == 1

    # The PACS sends the whole study again: nothing is made of what was made here.
    ask(orthanc, process)
    assert "derived by resample-ct" in process.log
    assert process.states() == ["sent"]

    pixels, window = show(browser, orthanc, series_uid)
    grey = pixels.mean(2)
    # Grey but for the viewer's own words, and of many shades.
    assert (np.ptp(pixels, 2) <= 2).mean() > 0.95
    assert len(np.unique(grey.round())) > 100
    results = sorted((process.folder / "jobs" / "1" / "out" / "dicom" / "fbp").glob("*.dcm"))
    assert max(likeness(grey, pydicom.dcmread(path), *window) for path in results) > 0.95
