"""The documentation site: `python docs/site.py FOLDER`, whose site/index.html it is.

The pages are the Markdown files of the repository, whose links to files without a page become plain text,
and a reference of the command line and the Python names that is written from the code.
"""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

import resample_ct as rct
from resample_ct.cli import main as command_line

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_SECTIONS = ("Args:", "Attributes:", "Returns:", "Raises:", "Yields:")


def sources() -> dict[Path, str]:
    """The site's pages: the file that each is made of, and its name."""
    found = {ROOT / "README.md": "index.md", ROOT / "CHANGELOG.md": "changelog.md"}
    found |= {page: page.name for page in sorted((ROOT / "docs").glob("*.md"))}
    for name, path in (
        ("orthanc.md", "integrations/orthanc/README.md"),
        ("monai-deploy.md", "integrations/monai_deploy/README.md"),
        ("sample-data.md", "sample_data/README.md"),
        ("packaging.md", "packaging/README.md"),
        ("contributing.md", "CONTRIBUTING.md"),
    ):
        if (ROOT / path).is_file():
            found[ROOT / path] = name
    return found


def local_links(page: Path) -> list[tuple[str, Path, str]]:
    """A Markdown page's links into the repository: as written, where they lead, and the anchor."""
    found = []
    for _, _, link in _LINK.findall(_without_code(page.read_text(encoding="utf-8"))):
        parts = urlsplit(link)
        if not parts.scheme:
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            found.append((link, target, parts.fragment))
    return found


def anchors(page: Path) -> set[str]:
    """What a link into a Markdown page may name: its headings, as GitHub and zensical spell them."""
    headings = re.findall(r"^#+ (.*)$", _without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def write_pages(folder: Path) -> None:
    """Write all pages into a new folder."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "docs" / "images", folder / "images")
    names = sources()
    for page, name in names.items():
        places = {link: (target, anchor) for link, target, anchor in local_links(page)}

        def rewritten(match: re.Match[str], places: dict[str, tuple[Path, str]] = places) -> str:
            image, text, link = match.groups()
            if link not in places:
                return match[0]
            target, anchor = places[link]
            if image:
                return f"![{text}](images/{target.name})"
            if target in names:
                return f"[{text}]({names[target]}{'#' + anchor if anchor else ''})"
            generated = target.parent == ROOT / "docs" and target.name in REFERENCES
            return f"[{text}]({target.name})" if generated else text

        text = _LINK.sub(rewritten, page.read_text(encoding="utf-8"))
        (folder / name).write_text(text, encoding="utf-8")
    for name, write in REFERENCES.items():
        (folder / name).write_text(write(), encoding="utf-8")


def command_reference() -> str:
    """The help of every command."""
    context = click.Context(command_line, info_name="resample-ct")
    parts = ["# Command line\n", "Each command says this with `-h`.\n"]
    for name in command_line.list_commands(context):
        command = command_line.get_command(context, name)
        assert command is not None
        parts += [f"## {name}\n", _help(command, name, context)]
        if isinstance(command, click.Group):
            inner = click.Context(command, info_name=name, parent=context)
            for below in command.list_commands(inner):
                found = command.get_command(inner, below)
                assert found is not None
                parts += [f"### {name} {below}\n", _help(found, below, inner)]
    return "\n".join(parts)


def _help(command: click.Command, name: str, parent: click.Context) -> str:
    # The commands' own settings, of which the width is one, are of the context that their class makes.
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    return f"```text\n{command.get_help(context)}\n```\n"


def python_reference() -> str:
    """The public names, with their signatures and docstrings."""
    parts = ["# Python\n", "```python\nimport resample_ct as rct\n```\n"]
    for name in dir(rct):
        value = getattr(rct, name)
        parts.append(f"## `{name}`\n")
        if inspect.isclass(value) or inspect.isfunction(value):
            parts.append(f"```python\n{_signature(name, value)}\n```\n")
        if inspect.isclass(value) or inspect.isfunction(value) or inspect.ismodule(value):
            parts.append(_markdown(inspect.getdoc(value) or ""))
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, dict) else value
            parts.append(f"`{shown}`\n")
    return "\n".join(parts)


def _signature(name: str, value: object) -> str:
    signature = inspect.signature(value)  # type: ignore[arg-type]
    inside = ",\n    ".join(map(str, signature.parameters.values()))
    result = "" if signature.return_annotation is inspect.Signature.empty else signature.return_annotation
    return f"rct.{name}(\n    {inside},\n)" + (
        f" -> {result}" if isinstance(result, str) and result else ""
    )


def _markdown(docstring: str) -> str:
    """Google's sections as lists."""
    lines = []
    for line in docstring.splitlines():
        stripped = line.strip()
        if stripped in _SECTIONS:
            lines += [f"**{stripped.removesuffix(':')}**", ""]
        elif re.match(r"    \w+( \([^)]*\))?: ", line) and not line.startswith("     "):
            name, _, text = stripped.partition(": ")
            lines.append(f"- `{name}`: {text}")
        elif stripped.startswith((">>> ", "... ")):
            lines.append(f"    {stripped}")
        else:
            lines.append(line if line.startswith("     ") else stripped)
    return "\n".join(lines) + "\n"


REFERENCES = {"reference-cli.md": command_reference, "reference-api.md": python_reference}


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


class _Page(HTMLParser):
    """The links and the anchors of one page of the site."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what the tag refers to, and what it is called."""
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            if name in ("id", "name") and value:
                self.anchors.add(value)


def broken_links(site: Path) -> list[str]:
    """Links within a built site that lead nowhere, as "page: link"."""
    pages: dict[Path, _Page] = {}
    for path in site.rglob("*.html"):
        pages[path.resolve()] = _Page()
        pages[path.resolve()].feed(path.read_text(encoding="utf-8"))
    broken = []
    for path, page in pages.items():
        # The page for a wrong address names its files from the root of whatever server it is on.
        if path.name == "404.html":
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            missing = parts.fragment and target in pages and parts.fragment not in pages[target].anchors
            if not target.exists() or (missing and parts.fragment != "__skip"):
                broken.append(f"{path.name}: {link}")
    return broken


def main(folder: Path) -> None:
    """Write the pages, build the site, and end with an error where a link of it is broken."""
    shutil.rmtree(folder, ignore_errors=True)
    write_pages(folder / "pages")
    shutil.copy(ROOT / "docs" / "zensical.toml", folder)
    command = ["zensical", "build", "--config-file", str(folder / "zensical.toml")]
    subprocess.run(command, check=True, cwd=folder)
    broken = broken_links(folder / "site")
    if broken:
        sys.exit("broken links:\n" + "\n".join(broken))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
