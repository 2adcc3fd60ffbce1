"""The table and the montage."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread, imsave

from resample_ct.metrics import SliceMetrics
from resample_ct.run.report import choose_rows, report_page, summary, write_montage, write_tables
from resample_ct.values.units import Window


def record(method, index, psnr, ssim=0.9):
    rmse = None if psnr is None else 40.0
    return SliceMetrics(method, "study", index, psnr, ssim, rmse, 1e-4, 0.5 + index).record()


RECORDS = [
    record("tv", 0, 30.0),
    record("fbp", 0, 20.0),
    record("tv", 1, 34.0),
    record("fbp", 1, 20.0),
]


def test_row_holds_mean_and_deviation_of_each_method_in_order():
    rows = summary(RECORDS)
    assert [row[0] for row in rows] == ["tv", "fbp"]
    assert rows[0][1:] == ("32 ± 2", "0.9 ± 0", "40 ± 0", "0.0001 ± 0", "1 ± 0.5")


def test_figures_without_a_truth_are_dashes():
    rows = summary([record("tv", 0, None, None), record("tv", 1, None, None)])
    assert rows[0][1:4] == ("-", "-", "-") and rows[0][4] == "0.0001 ± 0"


def test_tables_hold_every_record(tmp_path):
    write_tables(RECORDS, tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text()) == RECORDS
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{k: "" if v is None else str(v) for k, v in r.items()} for r in RECORDS] == rows


@given(st.integers(0, 300), st.integers(1, 6))
def test_chosen_rows_ascend_within_the_stack(count, most):
    rows = choose_rows(count, most)
    assert len(rows) == min(count, most)
    assert rows == sorted(set(rows)) and all(0 <= row < count for row in rows)


def test_chosen_rows_are_symmetric_about_the_middle():
    assert choose_rows(100) == [12, 37, 62, 87]


@pytest.fixture
def stacks(rng):
    truth = rng.random((2, 16, 16))
    return truth, {"fbp": truth + 0.05, "tv": truth}


def test_montage_shows_truth_methods_and_errors(tmp_path, stacks):
    truth, images = stacks
    write_montage(truth, images, [3, 8], Window(), tmp_path / "m.png")
    picture = imread(tmp_path / "m.png")[..., :3]
    height, width = picture.shape[0] // 4, picture.shape[1] // 3
    corners = [(i * height, j * width) for i in range(4) for j in range(3)]
    centres = [
        picture[y + height // 3 : y + height * 2 // 3, x + width // 3 : x + width * 2 // 3]
        for y, x in corners
    ]
    blank = [bool(centre.max() < 0.1) for centre in centres]
    # Below the truth there is no error map.
    assert blank == [False, False, False, True, False, False] * 2


def test_montage_without_truth_has_a_row_a_slice(tmp_path, stacks):
    _, images = stacks
    write_montage(None, images, [3, 8], Window(), tmp_path / "m.png")
    picture = imread(tmp_path / "m.png")[..., :3]
    assert picture.std() > 0.05
    assert picture.shape[0] == pytest.approx(picture.shape[1], rel=0.1)


def test_error_map_is_white_where_there_is_none_and_red_where_too_bright(tmp_path):
    truth = np.full((1, 16, 16), 0.3)
    image = truth.copy()
    image[:, :, 8:] += 0.05
    write_montage(truth, {"tv": image}, [0], Window(), tmp_path / "m.png")
    picture = imread(tmp_path / "m.png")[..., :3]
    lower = picture[
        picture.shape[0] * 6 // 10 : picture.shape[0] * 9 // 10, picture.shape[1] * 6 // 10 : -20
    ]
    exact, bright = lower[:, 5], lower[:, -10]
    assert exact.min() > 0.9
    assert (bright[:, 0] > bright[:, 2] + 0.1).all()


def test_page_is_one_pdf_page_and_the_same_every_time(tmp_path):
    imsave(tmp_path / "montage.png", np.zeros((20, 30)))
    facts = {"PatientID": "$1 山田 Müller"}
    page, again = (report_page(RECORDS, tmp_path / "montage.png", facts, "Research.") for _ in "ab")
    assert page.startswith(b"%PDF-") and page.count(b"/Type /Page ") == 1
    assert page == again
    assert page != report_page(RECORDS, tmp_path / "montage.png", {"PatientID": "2"}, "Research.")
