"""The documents: no link of theirs is broken, and the reference is of the code as it is."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import resample_ct
from resample_ct.cli import main

ROOT = Path(__file__).parents[1]
SITE = runpy.run_path(str(ROOT / "docs" / "site.py"))


@pytest.mark.parametrize("page", SITE["sources"](), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    for link, target, anchor in SITE["local_links"](page):
        if target.name in SITE["REFERENCES"]:
            continue
        assert target.exists(), link
        assert not anchor or anchor in SITE["anchors"](target), link


def test_reference_has_every_command_and_every_name(tmp_path):
    SITE["write_pages"](tmp_path / "pages")
    commands = (tmp_path / "pages" / "reference-cli.md").read_text()
    for name in main.list_commands(None):
        assert f"## {name}\n" in commands
    assert "--angles" in commands
    names = (tmp_path / "pages" / "reference-api.md").read_text()
    assert [line[4:-1] for line in names.splitlines() if line.startswith("## `")] == dir(resample_ct)


def test_a_broken_link_of_the_site_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#there">1</a><a href="b.html#gone">2</a>')
    (tmp_path / "b.html").write_text('<h1 id="there"></h1><img src="c.png"><a href="https://x.y">3</a>')
    assert sorted(SITE["broken_links"](tmp_path)) == ["a.html: b.html#gone", "b.html: c.png"]
