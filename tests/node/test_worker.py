"""What a worker does with the beginnings that an interrupted node left."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest

from resample_ct.node.folder import StateFolder
from resample_ct.node.worker import Worker


@pytest.fixture
def begun(tmp_path):
    """A worker with one job of two instances, whose beginning a node left."""
    files = []
    for number in range(2):
        (file := tmp_path / f"{number}.dcm").write_bytes(b"first" * (number + 1))
        files.append((f"1.{number}", file))
    settings = SimpleNamespace(arguments=("--method", "fbp"))
    queue = SimpleNamespace(sources=lambda number: files)
    worker = Worker(settings, StateFolder(tmp_path / "state"), queue, Event())
    path = tmp_path / "job"
    path.mkdir()
    prepare(worker, path)
    (path / "out.partial").mkdir()
    (path / "out.partial" / "job.json").write_text("{}")
    return worker, path, files


def prepare(worker: Worker, path: Path) -> None:
    worker._prepare(SimpleNamespace(number=1), path)


def test_beginning_is_kept_for_the_same_command_and_files(begun):
    worker, path, _ = begun
    prepare(worker, path)
    assert (path / "out.partial" / "job.json").exists()
    assert sorted(p.name for p in (path / "source").iterdir()) == ["1.0.dcm", "1.1.dcm"]


def test_beginning_is_dropped_for_an_instance_that_was_sent_again(begun):
    worker, path, files = begun
    arrived = files[0][1].with_suffix(".new")
    arrived.write_bytes(b"other")  # as long as before
    arrived.replace(files[0][1])
    prepare(worker, path)
    assert not (path / "out.partial").exists()


def test_beginning_is_dropped_for_other_arguments(begun):
    worker, path, _ = begun
    worker._settings.arguments = ("--method", "tv")
    prepare(worker, path)
    assert not (path / "out.partial").exists()


def test_beginning_that_does_not_say_what_it_is_is_dropped(begun):
    worker, path, _ = begun
    (path / "out.partial" / "job.json").write_text("{")
    prepare(worker, path)
    assert not (path / "out.partial").exists()
