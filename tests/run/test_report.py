"""The table, and the page with the montage."""

from __future__ import annotations

import csv
import json

import numpy as np
from matplotlib.image import imsave

from resample_ct.metrics import SliceMetrics
from resample_ct.run.report import report_page, summary, write_tables


def record(method, index, psnr, ssim=0.9):
    rmse = None if psnr is None else 40.0
    return SliceMetrics(method, "study", index, psnr, ssim, rmse, 1e-4, 0.5 + index, 1, "direct").record()


RECORDS = [
    record("tv", 0, 30.0),
    record("fbp", 0, 20.0),
    record("tv", 1, 34.0),
    record("fbp", 1, 20.0),
]


def test_row_holds_mean_and_deviation_of_each_method_in_order():
    rows = summary(RECORDS)
    assert [row[0] for row in rows] == ["tv", "fbp"]
    assert rows[0][1:] == ("32 ± 2", "0.9 ± 0", "40 ± 0", "0.0001 ± 0", "1 ± 0.5", "direct")


def test_figures_without_a_truth_are_dashes():
    rows = summary([record("tv", 0, None, None), record("tv", 1, None, None)])
    assert rows[0][1:4] == ("-", "-", "-") and rows[0][4] == "0.0001 ± 0"


def test_one_slice_has_no_deviation():
    (row,) = summary([record("tv", 0, 30.0, 0.9)])
    assert not any("±" in cell for cell in row)


def test_tables_hold_every_record(tmp_path):
    write_tables(RECORDS, tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text()) == RECORDS
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{k: "" if v is None else str(v) for k, v in r.items()} for r in RECORDS] == rows


def test_page_is_one_pdf_page_and_the_same_every_time(tmp_path):
    imsave(tmp_path / "montage.png", np.zeros((20, 30)))
    facts = {"PatientID": "$1 山田 Müller"}
    page, again = (report_page(RECORDS, tmp_path / "montage.png", facts, "Research.") for _ in "ab")
    assert page.startswith(b"%PDF-") and page.count(b"/Type /Page ") == 1
    assert page == again
    assert page != report_page(RECORDS, tmp_path / "montage.png", {"PatientID": "2"}, "Research.")
