"""An operator from another package as one of ours: anything that has a forward and an adjoint."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from resample_ct.errors import OptionError
from resample_ct.operators.base import LinearOperator

Apply = Callable[[np.ndarray], Any]

# An unmatched pair, as some GPU back-projectors are, differs by up to a few parts in a thousand.
_ADJOINT_TOLERANCE = 0.01


class ForeignOperator(LinearOperator):
    """A forward and an adjoint on one slice at a time, as numpy arrays on the CPU."""

    def __init__(
        self, forward: Apply, adjoint: Apply, domain_shape: tuple[int, int], range_shape: tuple[int, int]
    ) -> None:
        """Keep both, and the shapes of a slice and of its measurement."""
        self._forward, self._adjoint = forward, adjoint
        self._domain_shape, self._range_shape = domain_shape, range_shape

    @property
    def domain_shape(self) -> tuple[int, int]:
        """(row, column)."""
        return self._domain_shape

    @property
    def range_shape(self) -> tuple[int, int]:
        """(angle, detector), or whatever is measured."""
        return self._range_shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See `LinearOperator`."""
        return _slice_by_slice(self._forward, x, self._range_shape)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """See `LinearOperator`."""
        return _slice_by_slice(self._adjoint, y, self._domain_shape)


def adapt(
    operator: Any,
    domain_shape: tuple[int, int] | None = None,
    range_shape: tuple[int, int] | None = None,
) -> LinearOperator:
    """Take a linear operator of another package for A.

    It is known by what it has: `matvec` and `rmatvec` (a scipy LinearOperator, ASTRA's OpTomo), `A` and
    `A_adjoint` (deepinv's physics), a call and `adjoint` (ODL), or a call and `T` (tomosipo). One of our
    own is given back as it is. Wrap anything else in a `scipy.sparse.linalg.LinearOperator`.

    Args:
        operator: on one slice; it sees relative attenuation, and its unit of length is its own.
        domain_shape: (row, column) of a slice, where the operator does not say.
        range_shape: (angle, detector) of its measurement, where the operator does not say.

    Raises:
        OptionError: the shapes are not known or do not fit, or the adjoint is not the forward's:
            <A x, y> and <x, A^T y> differ by more than one percent.
    """
    if isinstance(operator, LinearOperator):
        return operator
    name = type(operator).__name__
    forward, adjoint = _pair(operator, name)
    sides = ("vshape", "domain_shape", "domain", "img_size", "img_width")
    domain = domain_shape or _stated(operator, sides)
    measured = range_shape or _stated(operator, ("sshape", "range_shape", "range"))
    if domain is not None and measured is None:
        measured = _two(np.shape(np.asarray(_numpy(forward(np.zeros(domain, np.float32))))))
    if domain is None or measured is None:
        raise OptionError(
            f"operator {name}: its shapes are not known; give domain_shape=(rows, columns) and "
            "range_shape=(angles, detectors)"
        )
    expected = getattr(operator, "shape", None)
    if hasattr(operator, "matvec") and expected != (math.prod(measured), math.prod(domain)):
        raise OptionError(
            f"domain_shape: found {domain} with range_shape {measured}, expected shapes that make up the "
            f"{expected} of operator {name}"
        )
    made = ForeignOperator(forward, adjoint, domain, measured)
    _check_adjoint(made, name)
    return made


def _pair(operator: Any, name: str) -> tuple[Apply, Apply]:
    """Forward and adjoint on arrays of one slice."""
    if hasattr(operator, "matvec") and hasattr(operator, "rmatvec"):
        return (lambda x: operator.matvec(x.ravel())), (lambda y: operator.rmatvec(y.ravel()))
    if hasattr(operator, "A") and hasattr(operator, "A_adjoint"):
        return _on_tensors(operator.A), _on_tensors(operator.A_adjoint)
    for found in ("adjoint", "T"):
        transposed = getattr(operator, found, None)
        if callable(operator) and callable(transposed):
            lifted = len(getattr(operator, "domain_shape", ())) == 3
            return _lifted(operator, lifted), _lifted(transposed, lifted)
    raise OptionError(
        f"operator {name}: found no forward and adjoint, expected matvec and rmatvec, A and A_adjoint, "
        "or a call and `adjoint` or `T`; wrap it in a scipy.sparse.linalg.LinearOperator"
    )


def _on_tensors(apply: Callable[[torch.Tensor], torch.Tensor]) -> Apply:
    """For an operator on (1, 1, row, column)."""
    return lambda x: apply(torch.from_numpy(x)[None, None])


def _lifted(apply: Callable[[Any], Any], lifted: bool) -> Apply:
    """For an operator on one slice, or on a volume of one."""
    return (lambda x: apply(x[None])) if lifted else apply


def _stated(operator: Any, names: tuple[str, ...]) -> tuple[int, int] | None:
    """The first shape that the operator states under one of some names."""
    for name in names:
        found = getattr(operator, name, None)
        shape = getattr(found, "shape", found)
        if isinstance(shape, int):  # deepinv's Tomography has a width alone.
            return shape, shape
        if isinstance(shape, tuple | list) and all(isinstance(n, int | np.integer) for n in shape):
            return _two(tuple(shape))
    return None


def _two(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """A shape without leading ones, where two numbers are left."""
    shape = tuple(int(n) for n in shape)
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    return (shape[0], shape[1]) if len(shape) == 2 else None


def _numpy(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def _slice_by_slice(apply: Apply, values: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """(B, 1, *shape) an operator on each of B slices, in the values' precision, on their device."""
    found = values.new_empty(len(values), 1, *shape)
    for target, one in zip(found, values, strict=True):
        result = _numpy(apply(np.ascontiguousarray(one[0].detach().cpu().numpy())))
        if result.size != math.prod(shape):
            raise OptionError(
                f"operator: found {result.size} values of shape {result.shape}, expected {shape}; give "
                "its domain_shape and range_shape"
            )
        target[0] = torch.from_numpy(np.array(result, np.float32)).reshape(shape)
    return found


def _check_adjoint(operator: ForeignOperator, name: str) -> None:
    """Raise OptionError for a pair that is not matched: every iterative method would go astray by it."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, *operator.domain_shape, generator=generator)
    y = torch.rand(1, 1, *operator.range_shape, generator=generator)
    forth = float((operator.forward(x).double() * y).sum())
    back = float((x.double() * operator.adjoint(y)).sum())
    if not abs(forth - back) <= _ADJOINT_TOLERANCE * max(abs(forth), abs(back)):
        raise OptionError(
            f"operator {name}: <A x, y> is {forth:.6g} and <x, A^T y> is {back:.6g}, expected the same; "
            "its adjoint is not the forward's, or the shapes are in another order"
        )
