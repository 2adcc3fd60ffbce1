"""A viewer tells every derived series apart, and from the source's, by number and description."""

from __future__ import annotations

import numpy as np
import pydicom
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from resample_ct.io.derivation import Derivation, SeriesIdentity
from resample_ct.io.dicom_write import write_series
from resample_ct.io.parametric_map import write_parametric_map, write_spread_series
from resample_ct.io.read import read_study
from resample_ct.io.report_object import write_report
from resample_ct.reconstruct.methods import METHODS
from resample_ct.run.outputs import series_place
from resample_ct.values.volume import reduce_in_plane

TITLES = [*(method.title for method in METHODS.values()), "report"]


def number(source, place):
    header = Dataset()
    header.SeriesNumber = source
    return SeriesIdentity.new(header, place).series_number


@given(st.lists(st.integers(0, 999), min_size=1, max_size=6, unique=True))
def test_methods_maps_and_reports_of_a_study_s_series_have_numbers_of_their_own(sources):
    places = [series_place(title) + kind for title in TITLES for kind in range(3)]
    numbers = [number(source, place) for source in sources for place in places]
    assert len({*numbers, *sources}) == len(numbers) + len(sources)


@given(st.integers(-(2**31), 2**31 - 1), st.sampled_from(TITLES))
def test_a_number_fits_its_tag_and_is_the_same_each_time(source, title):
    found = number(source, series_place(title) + 2)
    assert -(2**31) <= found < 2**31
    assert found == number(source, series_place(title) + 2)


def test_what_is_written_says_so(series, tmp_path):
    study = read_study(series(1))
    reduced = reduce_in_plane(study.volume, 64)
    made = [tmp_path / name for name in ("fbp", "map.dcm", "spread", "report.dcm")]
    derivation = Derivation("FBP", 25, "", "0", series_place("FBP"))
    last = Derivation("FBP", 25, "", "0", series_place("report"))
    spread = np.ones(reduced.hu.shape, np.float32)
    write_series(study, reduced.hu, reduced.grid, made[0], derivation)
    write_parametric_map(study, made[0], reduced.grid, spread, made[1], derivation)
    write_spread_series(study, reduced.grid, spread, made[2], derivation)
    write_report(study, [made[0]], b"%PDF-1.4", made[3], last)
    files = [path if path.is_file() else path / "0001.dcm" for path in made]
    found = [pydicom.dcmread(file) for file in files]
    source = study.headers[0].SeriesNumber
    assert [h.SeriesNumber - source for h in found] == [
        1000 * (series_place("FBP") + 1 + kind) for kind in range(3)
    ] + [1000 * (series_place("report") + 1)]
    assert all(h.SeriesDescription.startswith("FBP ") for h in found)
