"""The montage: windows, errors, uncertainty, and figures below the pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from resample_ct.run.montage import LUNG, SOFT_TISSUE, choose_rows, write_montage
from resample_ct.values.units import Window


@given(st.integers(0, 300), st.integers(1, 6))
def test_chosen_rows_ascend_within_the_stack(count, most):
    rows = choose_rows(count, most)
    assert len(rows) == min(count, most)
    assert rows == sorted(set(rows)) and all(0 <= row < count for row in rows)


def test_chosen_rows_are_symmetric_about_the_middle():
    assert choose_rows(100, 4) == [12, 37, 62, 87]


def panels(path):
    """The pictures of a montage, each cut out by its colours: rows of them, as they lie."""
    from scipy import ndimage

    picture = imread(path)[..., :3]
    # Panels are filled squares on black, far larger than any letter or colour bar.
    labels, _ = ndimage.label(ndimage.binary_opening(picture.max(2) > 0.02, iterations=20))
    found = [picture[box] for box in ndimage.find_objects(labels)]
    boxes = ndimage.find_objects(labels)
    rows: dict[int, list] = {}
    for box, panel in zip(boxes, found, strict=True):
        rows.setdefault(box[0].start // 100, []).append((box[1].start, panel))
    return [[panel for _, panel in sorted(row, key=lambda p: p[0])] for _, row in sorted(rows.items())]


def colour(panel):
    """Of its middle."""
    rows, columns = panel.shape[0] // 2, panel.shape[1] // 2
    return panel[rows - 5 : rows + 5, columns - 5 : columns + 5].mean((0, 1))


@pytest.fixture
def stacks():
    """A slice of 40 HU: soft tissue, which FBP makes 100 HU brighter."""
    truth = np.full((1, 16, 16), Window().from_hu(np.array(40.0)))
    return truth, {"fbp": truth + 100 / 3000, "tv": truth}


def test_windows_errors_and_uncertainty_are_a_row_each(tmp_path, stacks):
    truth, images = stacks
    spreads = {"tv": np.full((1, 16, 16), 200 / 3000)}
    write_montage(truth, images, spreads, [3], [], Window(), tmp_path / "m.png")
    lung, soft, error, spread = panels(tmp_path / "m.png")
    assert [len(row) for row in (lung, soft, error, spread)] == [3, 3, 2, 1]
    share = (40 - LUNG[0]) / (LUNG[1] - LUNG[0])
    assert colour(lung[0]) == pytest.approx([share] * 3, abs=0.02)
    share = (140 - SOFT_TISSUE[0]) / (SOFT_TISSUE[1] - SOFT_TISSUE[0])
    assert colour(soft[1]) == pytest.approx([share] * 3, abs=0.02)
    # Too bright is red, right is white; the widest uncertainty is cividis' yellow.
    assert colour(error[0])[0] > colour(error[0])[2] + 0.1
    assert colour(error[1]).min() > 0.9
    assert colour(spread[0])[2] < 0.5 < colour(spread[0])[0]


def test_without_a_truth_there_are_two_rows_a_slice(tmp_path, stacks):
    _, images = stacks
    images = {name: np.concatenate([stack, stack]) for name, stack in images.items()}
    write_montage(None, images, {}, [3, 8], [], Window(), tmp_path / "m.png")
    assert [len(row) for row in panels(tmp_path / "m.png")] == [2, 2, 2, 2]


def test_figures_stand_below_the_pictures(tmp_path, stacks):
    truth, images = stacks
    figures = {"slice": 3, "psnr": 30.0, "ssim": 0.9, "rmse_hu": 40.0}
    records = [{"method": name} | figures for name in images]
    for name, told in (("with", records), ("without", [])):
        write_montage(truth, images, {}, [3], told, Window(), tmp_path / f"{name}.png")
    first, second = (imread(tmp_path / f"{name}.png")[..., :3] for name in ("with", "without"))
    assert first.shape == second.shape
    assert (first.max(2) > 0.5).sum() > (second.max(2) > 0.5).sum()
