"""view.html as a reader meets it: opened from a file in a real browser, by mouse and by keyboard."""

from __future__ import annotations

import io
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from browser import chromium
from peers import wait_for
from PIL import Image
from result_folder import save

from resample_ct.viewer.page import write_viewer

pytestmark = pytest.mark.slow

# WebGL without a graphics card.
WEBGL = ("use-angle=swiftshader", "enable-unsafe-swiftshader", "disable-gpu-sandbox", "hide-scrollbars")
MINUS = "\u2212"
# Kept by CI.
SCREENSHOT = Path(__file__).parents[2] / "artifacts" / "view.png"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One browser for all pages: it starts slowly."""
    with chromium(tmp_path_factory.mktemp("browser"), *WEBGL, size=(1240, 800)) as driven:
        driven.set_page_load_timeout(120)
        yield driven


def show(browser, result, **chosen):
    """Write a result's viewer and open it from the file."""
    page = result.with_name("view.html")
    write_viewer(result, page, **chosen)
    browser.get(page.as_uri())
    wait_for(lambda: browser.execute_script("return document.body.dataset.ready") == "yes", 120)
    return browser


def pixel(page, panel, column, row):
    """The colour of a voxel of 24 x 24 in a panel, as the browser draws it."""
    canvas = page.find_elements("css selector", "canvas")[panel]
    pixels = np.asarray(Image.open(io.BytesIO(canvas.screenshot_as_png)).convert("RGB")).astype(float)
    height, width = pixels.shape[:2]
    return pixels[int((row + 0.5) / 24 * height), int((column + 0.5) / 24 * width)]


def text(page, selector, place=0):
    return page.find_elements("css selector", selector)[place].text


def settled(page):
    """Two frames later everything is drawn."""
    page.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")


def press(page, *keys):
    body = page.find_element("css selector", "body")
    for key in keys:
        body.send_keys(key)
    settled(page)


def point(page, canvas, column, row):
    """The mouse over a voxel of 24 x 24."""
    from selenium.webdriver.common.action_chains import ActionChains

    side = canvas.size["width"]
    offset = [round((place + 0.5) / 24 * side - side / 2) for place in (column, row)]
    ActionChains(page).move_to_element_with_offset(canvas, *offset).perform()
    settled(page)


def test_sagittal_slices_are_shown_as_they_were_scanned(browser, result):
    """A stack from right to left: its columns run to the back, its rows to the feet."""
    from selenium.webdriver.common.keys import Keys

    affine = np.array([[0, 0, -5.0, 0], [-2, 0, 0, 0], [0, -2, 0, 0], [0, 0, 0, 1]])
    for name in ("truth", "tv"):
        save(nib.load(result / f"{name}.nii.gz").get_fdata(), result / f"{name}.nii.gz", affine)
    hu = nib.load(result / "tv.nii.gz").get_fdata()
    page = show(browser, result, methods=["tv"])
    canvas = page.find_elements("css selector", "canvas")[1]
    for place in (2, 3):
        point(page, canvas, 6, 5)
        assert text(page, "#number") == f"{9 + place}"
        assert text(page, ".value", 1) == f"{round(hu[6, 5, place])} HU".replace("-", MINUS)
        press(page, Keys.ARROW_UP)


def test_reader_scrolls_windows_overlays_and_reads_hu(browser, result):
    from selenium.webdriver.common.keys import Keys

    page = show(browser, result)
    hu = {name: nib.load(result / f"{name}.nii.gz").get_fdata() for name in ("truth", "tv", "resample")}
    spread = nib.load(result / "resample-spread.nii.gz").get_fdata()
    assert [text(page, "figcaption strong", k) for k in range(3)] == ["Truth", "TV", "ReSample"]

    def values():
        return [text(page, ".value", k) for k in range(3)]

    def expected(column, row, place):
        found = [f"{round(hu[name][column, row, place])}" for name in hu]
        found[2] += f" ± {round(spread[column, row, place])}"
        return [f"{value} HU".replace("-", MINUS) for value in found]

    # The middle slice and the middle of the picture, in all panels; then the next slice, and the last.
    assert text(page, "#number") == "11" and "PSNR 32.00 dB" in text(page, ".figures", 1)
    press(page, Keys.ARROW_UP)
    assert text(page, "#number") == "12" and "PSNR 33.00 dB" in text(page, ".figures", 1)
    press(page, Keys.END)
    assert text(page, "#number") == "13" and "found too noisy" in text(page, ".doubt", 2)
    canvas = page.find_elements("css selector", "canvas")[1]
    page.execute_script(
        "arguments[0].dispatchEvent(new WheelEvent('wheel', {deltaY: -100, cancelable: true}))", canvas
    )
    settled(page)
    assert text(page, "#number") == "12"

    # The bright corner is at the upper left: DICOM's first column and row, as a radiologist sees them.
    for column, row in ((5, 6), (15, 9)):
        point(page, canvas, column, row)
        assert values() == expected(column, row, 3)

    # Soft tissue of -250 HU is black in its own window and grey in the lung's.
    press(page, "1")
    lung = pixel(page, 0, 18, 14)
    press(page, "2")
    assert lung.mean() > 60 and pixel(page, 0, 18, 14).max() < 10 and pixel(page, 0, 5, 5).min() > 240
    assert page.find_element("css selector", "[aria-pressed=true]").text == "Soft tissue"

    # TV is 90 HU too high: orange. ReSample is 40 too low, and has the uncertainty map.
    press(page, "e")
    red, _, blue = pixel(page, 1, 18, 14)
    assert red > blue + 30
    red, _, blue = pixel(page, 2, 18, 14)
    assert blue > red + 5
    assert pixel(page, 0, 18, 14).max() < 10
    # Where there is no error there is no colour.
    assert np.ptp(pixel(page, 1, 22, 21)) <= 2
    press(page, "4", "u")
    SCREENSHOT.parent.mkdir(exist_ok=True)
    page.save_screenshot(str(SCREENSHOT))
    assert np.ptp(pixel(page, 1, 18, 14)) <= 2 < np.ptp(pixel(page, 2, 15, 15))

    # A telephone: nothing is cut off at the side.
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True},
    )
    settled(page)
    assert page.execute_script("return document.documentElement.scrollWidth") <= 360
    said = [line for line in page.get_log("browser") if line["level"] == "SEVERE"]
    assert said == []
