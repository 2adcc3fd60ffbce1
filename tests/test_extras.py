"""What an installation without extras holds, and what it says where an extra is needed."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from click.testing import CliRunner

from resample_ct.cli import main
from resample_ct.errors import OptionError
from resample_ct.extras import needs_extra

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = ("cluster", "node", "report", "train")
# Whose files may import what an extra brings, because `needs_extra` stands before them.
ROOMS = {
    "resample_ct/node/": "node",
    "resample_ct/comparison/": "report",
    "resample_ct/run/cluster.py": "cluster",
    "fine_tune/observer.py": "train",
}
# Part of another installation, or no package's.
NOT_REQUIRED = {"torch_radon", "torchvision"}


def names(requirements):
    """Distributions of requirements, as they are compared."""
    return {re.match(r"[\w.-]+", text)[0].lower().replace("_", "-") for text in requirements}


CORE = names(PROJECT["dependencies"])
DISTRIBUTIONS = packages_distributions()


def imports(path):
    """Top-level packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("package", ["resample_ct", "fine_tune"])
def test_whatever_is_imported_is_required_by_the_core_or_by_the_extra_of_its_room(package):
    for path in sorted((ROOT / package).rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        extra = next((extra for room, extra in ROOMS.items() if place.startswith(room)), None)
        allowed = CORE | (names(PROJECT["optional-dependencies"][extra]) if extra else set())
        for name in set(imports(path)) - set(sys.stdlib_module_names) - NOT_REQUIRED:
            if name in ("resample_ct", "fine_tune"):
                continue
            made_by = {found.lower().replace("_", "-") for found in DISTRIBUTIONS.get(name, [])}
            assert made_by & allowed, f"{place} imports {name}"


def test_all_is_every_extra_and_developers_have_all():
    optional = PROJECT["optional-dependencies"]
    assert optional["all"] == [f"resample-ct[{','.join(EXTRAS)}]"]
    assert (
        set(EXTRAS) == optional.keys() - {"all", "dev", "docs"} and "resample-ct[all]" in optional["dev"]
    )


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_package_that_is_missing_is_named_with_the_extra_that_brings_it(extra):
    said = pytest.raises(OptionError, match=rf"no_such_package: not installed.*\[{extra}\]")
    with said, needs_extra(extra):
        import no_such_package  # noqa: F401


@pytest.mark.parametrize(
    ("package", "importers", "command"),
    [
        ("pynetdicom", "resample_ct.node", "node --folder f --aet A --forward B@localhost:104"),
        ("jinja2", "resample_ct.comparison", "compare . --out out"),
    ],
)
def test_a_command_without_its_extra_says_so_in_one_line(
    monkeypatch, tmp_path, package, importers, command
):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.startswith((importers, package))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {package}") and "pip install" in result.output
