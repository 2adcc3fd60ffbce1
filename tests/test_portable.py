"""What runs on Windows: everything but the node, which locks its jobs as only Unix does."""

from __future__ import annotations

import subprocess
import sys

_IMPORT_ALL = """
import builtins, pkgutil
from importlib import import_module
original = builtins.__import__
def as_elsewhere(name, globals=None, *rest, **more):
    importer = (globals or {}).get("__name__") or ""
    # Other packages import here what they do not where it is missing.
    ours = importer.startswith(("resample_ct", "fine_tune"))
    if ours and name in ("fcntl", "grp", "pwd", "resource", "termios"):
        raise ModuleNotFoundError(name)
    return original(name, globals, *rest, **more)
builtins.__import__ = as_elsewhere
import fine_tune, resample_ct
# What is behind the command that says in one line what it needs.
parts = ("folder", "receiver", "sender", "service", "status", "worker")
behind = tuple(f"resample_ct.node.{part}" for part in parts)
skipped = ("resample_ct.__main__", "resample_ct.physics.torch_radon_backend", *behind)
for package in (resample_ct, fine_tune):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name not in skipped:
            import_module(module.name)
from resample_ct.cli import main
main(["node", "--folder", "state", "--aet", "A", "--forward", "B@localhost:104"])
"""


def test_all_but_the_node_imports_without_what_only_unix_has(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert result.returncode == 1, result.stderr
    assert result.stderr.splitlines()[-1] == (
        "Error: node: locks its jobs as only Unix does, expected Linux or macOS; run it there"
    )
    assert list(tmp_path.iterdir()) == []
