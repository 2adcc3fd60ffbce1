"""`resample-ct view` as a user meets it."""

from __future__ import annotations

import webbrowser

import pytest
from click.testing import CliRunner

from resample_ct.cli import main
from resample_ct.run import pipeline
from resample_ct.run.job import Job


@pytest.fixture
def opened(monkeypatch):
    """What the browser was asked to open."""
    found = []
    monkeypatch.setattr(webbrowser, "open", lambda url: found.append(url) or True)
    return found


def call(*arguments):
    return CliRunner().invoke(main, ["view", *map(str, arguments)])


def test_view_opens_the_page_of_a_result_or_makes_another(sample_series, tmp_path, opened):
    out = tmp_path / "out"
    pipeline.reconstruct(Job(sample_series, out, methods=("fbp",), slices="3:6", batch=3), resume=False)
    written = (out / "view.html").read_bytes()
    assert call(out).exit_code == 0 and opened == [(out / "view.html").as_uri()]
    assert (out / "view.html").read_bytes() == written

    detail = tmp_path / "detail.html"
    result = call(out, "--slices", "4:6", "--out", detail)
    assert result.exit_code == 0 and str(detail) in result.output and opened[1] == detail.as_uri()
    assert '"slices": [4, 5]' in detail.read_text()

    # A result of an earlier version has none.
    (out / "view.html").unlink()
    assert call(out).exit_code == 0
    assert (out / "view.html").read_bytes() == written


def test_mistakes_are_one_line(tmp_path, opened):
    for arguments, message in (
        ((tmp_path,), "expected the output folder of `resample-ct reconstruct`"),
        ((tmp_path, "--slices", "1:2"), "--out: missing"),
        ((tmp_path, "--slices", "1,2", "--out", tmp_path / "v.html"), "--slices 1,2: not understood"),
    ):
        result = call(*arguments)
        assert result.exit_code == 1 and message in result.output and result.output.count("\n") == 1
    assert opened == []
