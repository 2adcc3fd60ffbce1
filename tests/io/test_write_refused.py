"""A series that cannot be written whole leaves nothing behind."""

import numpy as np
import pytest

from resample_ct.errors import StudyError
from resample_ct.io.dicom_write import write_series
from resample_ct.io.nifti_write import write_nifti
from resample_ct.io.read import read_study


@pytest.fixture
def study(series):
    return read_study(series(3))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out" / "derived"


def broken(study):
    yield study.volume.hu[0]
    raise RuntimeError("power cut")


def with_value(study, value):
    hu = study.volume.hu.copy()
    hu[2, 5, 5] = value
    return hu


def test_an_existing_folder_is_refused_and_left_alone(study, out, derivation):
    out.mkdir(parents=True)
    (out / "mine").touch()
    with pytest.raises(StudyError, match="exists, expected a new folder; name another one"):
        write_series(study, study.volume.hu, study.grid, out, derivation)
    assert [p.name for p in out.iterdir()] == ["mine"]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6, -1e6])
def test_a_value_that_cannot_be_stored_leaves_nothing(study, out, derivation, value):
    with pytest.raises(StudyError, match=r"0003\.dcm: found HU from .* nothing was written"):
        write_series(study, with_value(study, value), study.grid, out, derivation)
    assert list(out.parent.iterdir()) == []


def test_slices_that_end_in_an_error_leave_nothing(study, out, derivation):
    with pytest.raises(RuntimeError, match="power cut"):
        write_series(study, broken(study), study.grid, out, derivation)
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("count", [0, 2, 4])
def test_too_few_or_too_many_slices_leave_nothing(study, out, derivation, count):
    with pytest.raises(ValueError, match="zip"):
        write_series(study, [study.volume.hu[0]] * count, study.grid, out, derivation)
    assert list(out.parent.iterdir()) == []


def test_slices_of_another_size_leave_nothing(study, out, derivation):
    with pytest.raises(ValueError, match="slice of"):
        write_series(study, np.zeros((3, 256, 256)), study.grid, out, derivation)
    assert list(out.parent.iterdir()) == []


def test_leftovers_of_a_killed_run_do_not_get_into_the_series(study, out, derivation):
    partial = out.with_name("derived.partial")
    partial.mkdir(parents=True)
    (partial / "0009.dcm").touch()
    write_series(study, study.volume.hu, study.grid, out, derivation)
    assert sorted(p.name for p in out.iterdir()) == ["0001.dcm", "0002.dcm", "0003.dcm"]
    assert list(out.parent.iterdir()) == [out]


def test_an_existing_volume_is_refused_and_left_alone(study, tmp_path):
    (tmp_path / "ct.nii.gz").write_text("mine")
    with pytest.raises(StudyError, match=r"ct\.nii\.gz: exists, expected a new file"):
        write_nifti(study.volume.hu, study.volume.grid, tmp_path / "ct.nii.gz")
    assert (tmp_path / "ct.nii.gz").read_text() == "mine"


def test_a_volume_that_fails_half_way_leaves_nothing(study, tmp_path):
    class Breaks:
        times = 0

        def __iter__(self):
            self.times += 1
            yield study.volume.hu[0]
            if self.times == 2:
                assert list((tmp_path / "out").iterdir())  # half of it is there
                raise OSError("disk full")
            yield from study.volume.hu[1:]

    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match="disk full"):
        write_nifti(Breaks(), study.volume.grid, tmp_path / "out" / "ct.nii.gz")
    assert list((tmp_path / "out").iterdir()) == []
