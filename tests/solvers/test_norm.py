"""The norm of an operator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from laws import Matrix

from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.physics.system_matrix import system_matrix
from resample_ct.solvers.norm import operator_norm


def test_norm_is_the_largest_singular_value():
    geometry = ParallelBeam.uniform(16, 6)
    expected = np.linalg.norm(system_matrix(geometry).toarray(), 2)
    assert operator_norm(SparseProjector(geometry), torch.zeros(1)) == pytest.approx(expected, rel=1e-4)


def test_norm_scales_with_the_operator():
    matrix = np.random.default_rng(0).random((6, 9))
    one, two = (Matrix(k * matrix, (3, 3), (2, 3)) for k in (1, 2))
    like = torch.zeros(1, dtype=torch.float64)
    assert operator_norm(two, like) == pytest.approx(2 * operator_norm(one, like))
