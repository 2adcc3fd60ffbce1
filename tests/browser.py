"""Debian's Chromium without a screen, driven by Debian's chromedriver."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from scipy import ndimage


@contextmanager
def chromium(profile, *flags, size=(800, 700)):
    """A browser with a new profile in a folder; the test is skipped where there is none.

    `flags` are further ones of Chromium's command line, without their dashes.
    """
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs Debian's chromium and chromium-driver (.ci/run installs them)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (
        *("headless", "no-sandbox", "disable-quic", "no-first-run", *flags),
        *("disable-background-networking", "disable-component-update", "disable-sync"),
        *(f"user-data-dir={profile}", f"window-size={size[0]},{size[1]}"),
    ):
        options.add_argument(f"--{flag}")
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield browser
    finally:
        browser.quit()


def likeness(shown, dataset, centre, width):
    """Correlation of what is shown with a slice in the viewer's window, the viewer's text left out."""
    hu = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    image = np.clip(hu, centre - width / 2, centre + width / 2)
    image = ndimage.zoom(image, np.array(shown.shape) / image.shape, order=1)
    edge = len(shown) // 6
    inner = np.s_[edge:-edge]
    return np.corrcoef(image[inner].ravel(), shown[inner].ravel())[0, 1]
