"""What a job takes from its source, and what it tells of it."""

from __future__ import annotations

import numpy as np

from resample_ct.io.read import read_study
from resample_ct.run.inputs import notes_on_window, pose
from resample_ct.run.job import Job
from resample_ct.values.units import Window


def metal(dataset, index):
    """8,000 HU in 12 x 12 pixels of the lower two slices, 2,000 HU in the upper one."""
    stored = dataset.pixel_array.astype(np.int32)
    stored[250:262, 250:262] = 1024 + (8000 if index else 2000)
    dataset.BitsStored, dataset.HighBit = 16, 15
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue"):
        dataset.pop(keyword, None)
    dataset.PixelData = stored.astype("<u2").tobytes()


def test_metal_that_the_window_clips_is_counted(series, tmp_path):
    folder = series(3, metal)
    (note,) = notes_on_window(read_study(folder), Window())
    assert note == (
        "288 pixels in 2 of 3 slices lie above 2000 HU and are clipped to the window of -1000 to 2000 HU"
    )
    assert note in pose(Job(folder, tmp_path / "out"), None).study.notes
    (chosen,) = notes_on_window(read_study(folder).select([1, 2]), Window())
    assert chosen.startswith("144 pixels in 1 of 2 slices")
    assert notes_on_window(read_study(folder), Window(-1000, 8000)) == []


def test_a_study_within_the_window_is_not_noted(series):
    assert notes_on_window(read_study(series(2)), Window()) == []
