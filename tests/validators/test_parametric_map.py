"""The uncertainty map and its fallback series as dciodvfy and DCMTK see them."""

from __future__ import annotations

import judges
import numpy as np
import pytest

from resample_ct.io.derivation import Derivation
from resample_ct.io.dicom_write import write_series
from resample_ct.io.parametric_map import write_parametric_map, write_spread_series
from resample_ct.io.read import read_study

DERIVATION = Derivation("ReSample", 25, "ReSample from 25 views", "0.1.0")


def anonymised(dataset, index):
    for keyword in ("StudyDate", "StudyTime", "PatientSex", "BodyPartExamined", "Manufacturer"):
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.PatientID = dataset.PatientName = ""


@pytest.fixture(params=[lambda dataset, index: None, anonymised], ids=["whole", "anonymised"])
def source(request, series):
    return series(3, request.param)


def test_the_map_has_no_fault_that_the_source_does_not_have(source, tmp_path, rng):
    study = read_study(source)
    spread = rng.gamma(2.0, 5.0, study.volume.hu.shape)
    write_series(study, study.volume.hu, study.grid, tmp_path / "ct", DERIVATION)
    path = tmp_path / "map.dcm"
    write_parametric_map(study, tmp_path / "ct", study.grid, spread, path, DERIVATION)
    assert judges.new_findings(source / "00.dcm", path) == set()
    dump = judges.dcmtk_dump(path)
    assert "=ParametricMapStorage" in dump
    assert "(7fe0,0008) OF" in dump


def test_the_series_has_no_fault_that_the_source_does_not_have(source, tmp_path, rng):
    study = read_study(source)
    spread = np.rint(rng.gamma(2.0, 5.0, study.volume.hu.shape))
    write_spread_series(study, study.grid, spread, tmp_path / "spread", DERIVATION)
    path = tmp_path / "spread" / "0001.dcm"
    assert judges.new_findings(source / "00.dcm", path) == set()
    np.testing.assert_array_equal(judges.dcmtk_render(path, tmp_path), spread[0])
