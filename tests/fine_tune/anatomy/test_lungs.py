"""Vessels fork, thin out and stay within reach; the slice shows what it cuts."""

from __future__ import annotations

import numpy as np
import pytest

from fine_tune.anatomy.canvas import Canvas
from fine_tune.anatomy.lungs import Branches, grow_tree, tree_share

OUT = np.array([1.0, 0.0, 0.0])


@pytest.mark.parametrize("seed", range(5))
def test_trees_thin_out_and_end(seed):
    tree = grow_tree(np.random.default_rng(seed), np.zeros(3), OUT, 5.0, 100.0)
    assert tree.radius.max() <= 5.0 and tree.radius.min() > 0.25
    # The last piece may stand out by its own length.
    assert np.linalg.norm(tree.end, axis=1).max() < 140
    distance = np.linalg.norm(tree.start, axis=1)
    assert tree.radius[distance < 20].mean() > tree.radius[distance > 60].mean()
    assert np.median(tree.end[:, 0]) > 20


def piece(start, end, radius):
    return Branches(np.array([start], float), np.array([end], float), np.array([radius], float))


def test_upright_vessel_is_a_full_disc():
    share = tree_share(Canvas(1.0), piece((0, 0, -30), (0, 0, 30), 4), 3.0)
    assert share.max() == pytest.approx(1)
    assert share.sum() == pytest.approx(np.pi * 16, rel=0.05)


def test_lying_vessel_thinner_than_the_slice_is_faint():
    share = tree_share(Canvas(1.0), piece((-20, 0, 0), (20, 0, 0), 1.0), 5.0)
    assert share.max() == pytest.approx(2 / 5, abs=0.05)


def test_vessel_beyond_the_slice_is_not_seen():
    assert tree_share(Canvas(1.0), piece((-20, 0, 9), (20, 0, 9), 2.0), 5.0).max() == 0


def test_slanting_vessel_shows_the_piece_in_the_slice():
    canvas = Canvas(1.0)
    share = tree_share(canvas, piece((-40, 0, -40), (40, 0, 40), 1.5), 2.0)
    assert share.max() > 0.9
    assert np.abs(canvas.x[share > 0.01]).max() < 6
