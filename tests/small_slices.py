"""Trainings on slices of 64 x 64 in place of 256 x 256: they tell the same in a sixteenth of the time.

As a program it is the command line with such slices, for trainings in processes of their own.
"""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

import pytest

import fine_tune
from resample_ct.cli import main
from resample_ct.values import network_grid

SIDE = 64


def modules_with_a_size():
    """All that a training reads the slices' size from."""
    of_training = [import_module(m.name) for m in pkgutil.walk_packages(fine_tune.__path__, "fine_tune.")]
    return [module for module in (network_grid, *of_training) if hasattr(module, "IMAGE_SIZE")]


def shrink_slices(patch):
    """Every training in this process is on small slices, for as long as the patch lasts."""
    for module in modules_with_a_size():
        patch.setattr(module, "IMAGE_SIZE", SIDE)


if __name__ == "__main__":
    shrink_slices(pytest.MonkeyPatch())
    main(sys.argv[1:])
