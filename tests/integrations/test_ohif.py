"""Results in OHIF beside a real Orthanc, in headless Chromium, as docs/ohif.md sets it up."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from browser import chromium, likeness
from ohif import ohif
from orthanc import Orthanc
from peers import wait_for
from PIL import Image

from resample_ct.io.derivation import Derivation
from resample_ct.io.parametric_map import write_parametric_map, write_spread_series
from resample_ct.io.read import read_study
from resample_ct.run import pipeline
from resample_ct.run.job import Job

pytestmark = pytest.mark.slow

METHODS = ("fbp", "sirt", "tv")
# Of a name, in the list of series at OHIF's own width.
SHOWN_CHARACTERS = 15


@pytest.fixture(scope="module")
def results(sample_series, tmp_path_factory):
    """Two slices by three methods, and something like an uncertainty map in both its forms."""
    out = tmp_path_factory.mktemp("results") / "out"
    pipeline.reconstruct(Job(sample_series, out, methods=METHODS, slices="11:13"), resume=False)
    study, other = (read_study(out / "dicom" / name) for name in ("tv", "sirt"))
    spread = np.abs(study.volume.hu - other.volume.hu)
    derivation, dicom = Derivation("TV", 25, "for a test", "0", 100), out / "dicom"
    write_parametric_map(study, dicom / "tv", study.grid, spread, dicom / "map.dcm", derivation)
    write_spread_series(study, study.grid, spread, dicom / "spread", derivation)
    return dicom


@pytest.fixture(scope="module")
def viewer(results, tmp_path_factory):
    """A browser in which the study is open."""
    folder = tmp_path_factory.mktemp("ohif")
    pacs = Orthanc(folder / "pacs")
    flags = ("use-angle=swiftshader", "enable-unsafe-swiftshader")
    try:
        files = sorted(results.rglob("*.dcm"))
        pacs.upload(files)
        uid = pydicom.dcmread(files[0], stop_before_pixels=True).StudyInstanceUID
        with ohif(pacs) as root, chromium(folder / "chromium", *flags, size=(1400, 900)) as browser:
            browser.get(f"{root}/viewer?StudyInstanceUIDs={uid}")
            wait_for(lambda: len(labels(browser)) == 6, 60)
            # The tour, which lies over everything.
            wait_for(lambda: press(browser, "Skip all"), 60)
            press(browser, "Confirm and hide")
            yield browser
    finally:
        pacs.stop()


def press(browser, words):
    """Press a button that says so. Returns whether there was one."""
    found = browser.find_elements("xpath", f"//button[contains(., '{words}')]")
    for button in found:
        browser.execute_script("arguments[0].click()", button)
    return bool(found)


def labels(browser):
    """Names in the list of series, in its order."""
    return browser.find_elements("css selector", "[data-cy=series-description-label]")


def open_series(browser, name):
    from selenium.webdriver import ActionChains

    (label,) = [found for found in labels(browser) if found.text.startswith(name)]
    ActionChains(browser).double_click(label).perform()


def shows(browser, folder, centre, width):
    """Whether the image in the viewport is one of a series' slices, in a window."""
    slices = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]

    def is_shown():
        pane = browser.find_element("css selector", "[data-cy=viewport-pane]").rect
        with Image.open(io.BytesIO(browser.get_screenshot_as_png())) as image:
            side = min(pane["width"], pane["height"])
            left, top = pane["x"] + (pane["width"] - side) / 2, pane["y"] + (pane["height"] - side) / 2
            box = tuple(map(round, (left, top, left + side, top + side)))
            grey = np.asarray(image.convert("L").crop(box)).astype(float)
        return max(likeness(grey, dataset, centre, width) for dataset in slices) > 0.95

    return is_shown


def test_series_are_told_apart_by_what_is_shown_of_their_names(viewer):
    names = [label.text for label in labels(viewer)]
    assert len({name[:SHOWN_CHARACTERS] for name in names}) == len(names) - 1, names
    # Those two are the map in its two forms.
    assert sum(name.startswith("TV spread") for name in names) == 2
    page = viewer.find_element("tag name", "body").text
    numbers = [word for word in page.split() if word.startswith("S:")]
    assert len(set(numbers)) == len(numbers) == 6


@pytest.mark.parametrize("method", METHODS)
def test_a_derived_series_is_shown_as_the_ct_that_it_is(viewer, results, method):
    open_series(viewer, f"{method.upper()} 25 views")
    wait_for(shows(viewer, results / method, 40, 350), 60)


def test_the_uncertainty_is_shown_as_a_ct_series(viewer, results):
    open_series(viewer, "TV spread 25 views (research) TV")
    wait_for(shows(viewer, results / "spread", 50, 100), 60)


def test_the_parametric_map_is_listed(viewer):
    kinds = viewer.find_elements("css selector", "[data-cy=series-modality-label]")
    assert [kind.text for kind in kinds].count("PMAP") == 1
