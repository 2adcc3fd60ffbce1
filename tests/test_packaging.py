"""The recipes that CI cannot build name what the package requires."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Other names of the same, at conda-forge.
CONDA = {
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",
    "python-gdcm": "gdcm",
    "SimpleITK": "simpleitk",
}


def test_the_conda_recipe_requires_what_the_package_does():
    recipe = (ROOT / "packaging" / "conda" / "meta.yaml").read_text()
    listed = set(re.findall(r"^    - ([\w-]+ >=.*)$", recipe, re.MULTILINE)) - {"python >=3.11"}
    extras = PROJECT["optional-dependencies"]
    required = [*PROJECT["dependencies"], *extras["node"], *extras["report"], *extras["train"]]
    expected = set()
    for text in [*required, *extras["cluster"]]:
        name, version = re.match(r"([\w-]+)(.*)", text).groups()
        expected.add(f"{CONDA.get(name, name)} {version}")
    assert listed - {"setuptools >=68"} == expected
    assert f'version = "{PROJECT["version"]}"' in recipe


def test_recipes_copy_what_the_build_needs():
    for name in ("Containerfile", "apptainer.def"):
        text = (ROOT / "packaging" / name).read_text()
        for part in ("pyproject.toml", "README.md", "LICENSE", "resample_ct", "fine_tune"):
            assert part in text, (name, part)
        assert "Not built by the project's CI" in text
