"""System matrices on disk: the same as computed, whatever happens to the files."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from resample_ct.physics import matrix_cache
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.matrix_cache import cache_folder, matrix_file
from resample_ct.physics.system_matrix import system_matrix

GEOMETRY = ParallelBeam(12, (0.2, 1.9), 16, 0.8)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache that keeps matrices of any size."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(matrix_cache, "_WORTH_KEEPING", 0)
    return cache_folder()


def cached_system_matrix(geometry):
    """The module's, once what it writes is written."""
    found = matrix_cache.cached_system_matrix(geometry)
    for thread in threading.enumerate():
        if thread.name == matrix_cache.WRITER:
            thread.join()
    return found


def assert_right(found, geometry=GEOMETRY):
    expected = system_matrix(geometry)
    assert found.shape == expected.shape
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))
        assert getattr(found, part).dtype == getattr(expected, part).dtype


@pytest.fixture
def computed(monkeypatch):
    """The geometries that were computed, in order."""
    geometries = []

    def counted(geometry):
        geometries.append(geometry)
        return system_matrix(geometry)

    monkeypatch.setattr(matrix_cache.code, "system_matrix", counted)
    return geometries


def test_a_geometry_is_computed_once(folder, computed):
    assert_right(cached_system_matrix(GEOMETRY))
    assert_right(cached_system_matrix(GEOMETRY))
    assert computed == [GEOMETRY]
    assert [path.suffix for path in folder.iterdir()] == [".npz"]


@pytest.mark.parametrize(
    "other",
    [
        ParallelBeam(12, (0.2, 1.9), 16, 0.8000000001),
        ParallelBeam(12, (0.2, 1.90000001), 16, 0.8),
        ParallelBeam(12, (1.9, 0.2), 16, 0.8),
        ParallelBeam(13, (0.2, 1.9), 16, 0.8),
        ParallelBeam(12, (0.2, 1.9), 17, 0.8),
    ],
)
def test_another_geometry_is_another_file(other):
    cached_system_matrix(GEOMETRY)
    assert_right(cached_system_matrix(other), other)


def test_other_code_is_another_file(tmp_path, monkeypatch):
    before = matrix_file(GEOMETRY)
    changed = tmp_path / "code.py"
    changed.write_text("# another version")
    monkeypatch.setattr(matrix_cache.code, "__file__", str(changed))
    assert matrix_file(GEOMETRY) != before


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: b"nonsense", lambda content: content[:-100], flip],
    ids=["emptied", "overwritten", "cut", "one bit flipped"],
)
def test_a_damaged_file_is_computed_again(damage, computed):
    path = matrix_file(GEOMETRY)
    cached_system_matrix(GEOMETRY)
    path.write_bytes(damage(path.read_bytes()))
    assert_right(cached_system_matrix(GEOMETRY))
    assert_right(cached_system_matrix(GEOMETRY))
    assert computed == [GEOMETRY, GEOMETRY]


def test_an_index_beyond_the_image_counts_as_damage(computed):
    matrix = system_matrix(GEOMETRY)
    path = matrix_file(GEOMETRY)
    path.parent.mkdir(parents=True)
    np.savez(path, data=matrix.data, indices=matrix.indices + 10**6, indptr=matrix.indptr)
    assert_right(cached_system_matrix(GEOMETRY))
    assert computed == [GEOMETRY]


def test_a_folder_that_cannot_be_made_is_gone_without(folder):
    folder.parent.parent.mkdir(exist_ok=True)
    folder.parent.write_text("a file where the folder should be")
    assert_right(cached_system_matrix(GEOMETRY))


def test_what_was_used_longest_ago_makes_room(folder, monkeypatch):
    geometries = [ParallelBeam(12, (angle,), 16) for angle in (0.1, 0.2, 0.3)]
    size = 0
    for age, geometry in zip((300, 200, 100), geometries, strict=True):
        cached_system_matrix(geometry)
        path = matrix_file(geometry)
        size = max(size, path.stat().st_size)
        matrix_cache.os.utime(path, (path.stat().st_mtime - age,) * 2)
    cached_system_matrix(geometries[0])  # used again: now the newest
    monkeypatch.setattr(matrix_cache, "_MOST_BYTES", 2 * size + size // 2)
    newest = ParallelBeam(12, (0.4,), 16)
    cached_system_matrix(newest)
    left = {path.name for path in folder.iterdir()}
    assert left == {matrix_file(g).name for g in (geometries[0], newest)}


def test_what_a_killed_process_left_is_deleted(folder):
    folder.mkdir(parents=True)
    old, new = folder / "old.tmp", folder / "new.tmp"
    for path in (old, new):
        path.write_bytes(b"part of a matrix")
    matrix_cache.os.utime(old, (old.stat().st_mtime - 86400,) * 2)
    cached_system_matrix(GEOMETRY)
    assert not old.exists() and new.exists()


def test_the_matrix_is_there_before_its_file(monkeypatch):
    begin = threading.Event()
    write = matrix_cache._write
    monkeypatch.setattr(matrix_cache, "_write", lambda *args: (begin.wait(60), write(*args)))
    assert_right(matrix_cache.cached_system_matrix(GEOMETRY))
    assert not matrix_file(GEOMETRY).exists()
    begin.set()
    cached_system_matrix(GEOMETRY)  # waits for the writer
    assert matrix_file(GEOMETRY).exists()


def test_without_a_thread_there_is_no_file_but_the_matrix(monkeypatch):
    def none_left(*args, **options):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(matrix_cache, "Thread", none_left)
    assert_right(cached_system_matrix(GEOMETRY))
    assert not matrix_file(GEOMETRY).exists()


def test_small_geometries_are_not_kept(folder, monkeypatch):
    monkeypatch.undo()
    assert_right(cached_system_matrix(GEOMETRY))
    assert not folder.exists()
