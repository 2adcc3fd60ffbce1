"""Networks run by default where a patient was scanned, or a study is there."""

from __future__ import annotations

import h5py
import pytest

from resample_ct.run.default_methods import ALL, CLASSICAL, default_methods


@pytest.mark.parametrize(
    "attributes, headers, expected",
    [
        ({}, False, CLASSICAL),
        ({"noise": "measured"}, False, CLASSICAL),
        ({"noise": "measured"}, True, ALL),
        ({"noise": "gaussian:0.01 (simulated)"}, False, ALL),
    ],
)
def test_of_a_scan_by_what_it_is_of(tmp_path, attributes, headers, expected):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.attrs.update(attributes)
        if headers:
            file["source_headers"] = ["{}"]
    assert default_methods(tmp_path / "scan.h5") == expected


def test_of_other_sources(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"no HDF5")
    assert default_methods(tmp_path) == default_methods(tmp_path / "a.nii.gz") == ALL
    assert default_methods(tmp_path / "HTC.MAT") == default_methods(tmp_path / "a.npz") == CLASSICAL
