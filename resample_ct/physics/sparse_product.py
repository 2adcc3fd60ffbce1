"""Products of a sparse matrix with a batch: one slice on one thread, more of them some at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np
import torch
from scipy import sparse

# A product whose columns outgrow the processor's cache takes up to three times as long a slice: at
# 256 x 256 and 512 x 512, 16 and 8 images at once measured best, and 16 sinograms.
_VALUES_AT_ONCE = 2**20
_AT_LEAST, _AT_MOST = 8, 16


def to_torch(matrix: sparse.csr_array, device: str) -> torch.Tensor:
    """The matrix in single precision, for products with dense columns."""
    with warnings.catch_warnings():
        # torch calls its CSR support a beta at first use; the law tests hold it to account.
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int32, copy=False)),
            torch.from_numpy(matrix.indices.astype(np.int32, copy=False)),
            torch.from_numpy(matrix.data.astype(np.float32, copy=False)),
            size=matrix.shape,
            check_invariants=True,
            device=device,
        )


def product(matrix: torch.Tensor, values: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """(B, 1, *shape) the matrix times each of B values, (B, 1, ...)."""
    if len(values) == 1:
        with _one_thread():
            return torch.mv(matrix, values.reshape(-1)).reshape(1, 1, *shape)
    at_once = min(_AT_MOST, max(_AT_LEAST, _VALUES_AT_ONCE // matrix.shape[1]))
    columns = values.new_empty(matrix.shape[0], len(values))
    for group, target in zip(values.split(at_once), columns.split(at_once, dim=1), strict=True):
        torch.mm(matrix, group.reshape(len(group), -1).T.contiguous(), out=target)
    return columns.T.reshape(-1, 1, *shape)


_COUNTING = Lock()


@contextmanager
def _one_thread() -> Iterator[None]:
    """A product with one slice ends before two threads have met, if another program runs beside."""
    with _COUNTING:
        count = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(count)
