"""What is measured of an image: any differentiable operator, and linear ones with their exact adjoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import torch


class Operator(ABC):
    """A(x) on batches (B, channels, *domain_shape), differentiable, linear or not.

    Attributes:
        channels: of x and A(x).
        dtype: that it computes in; None takes any floating-point type.
    """

    channels = 1
    dtype: torch.dtype | None = None

    @property
    @abstractmethod
    def domain_shape(self) -> tuple[int, int]:
        """Shape of x without batch and channel."""

    @property
    @abstractmethod
    def range_shape(self) -> tuple[int, int]:
        """Shape of A(x) without batch and channel."""

    @abstractmethod
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """A(x) with autograd. Raises ValueError for a tensor of another shape."""

    def check_shape(self, x: torch.Tensor) -> None:
        """Raise ValueError unless x is (B, channels, *domain_shape)."""
        expected = (self.channels, *self.domain_shape)
        if x.dim() != 4 or tuple(x.shape[1:]) != expected:
            raise ValueError(
                f"{type(self).__name__}: found shape {tuple(x.shape)}, expected (B, "
                f"{', '.join(map(str, expected))})"
            )


class LinearOperator(Operator):
    """A(x) and A.T(y) on batches (B, channels, *shape).

    A.T is one object for as long as A is, and A.T.T is A. Back-propagation through A(x) applies A.T
    exactly, so that a gradient is never a second approximation of the physics.
    """

    @abstractmethod
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A x for (B, channels, *domain_shape), outside autograd."""

    @abstractmethod
    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """A^T y for (B, channels, *range_shape), outside autograd."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """A x with autograd. Raises ValueError for a tensor of another shape."""
        self.check_shape(x)
        result: torch.Tensor = _Apply.apply(self, x)
        return result

    @cached_property
    def T(self) -> LinearOperator:  # noqa: N802
        """The adjoint as an operator of its own."""
        return _Adjoint(self)


class _Adjoint(LinearOperator):
    def __init__(self, operator: LinearOperator) -> None:
        self._operator = operator
        self.channels, self.dtype = operator.channels, operator.dtype

    @property
    def domain_shape(self) -> tuple[int, int]:
        return self._operator.range_shape

    @property
    def range_shape(self) -> tuple[int, int]:
        return self._operator.domain_shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._operator.adjoint(x)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        return self._operator.forward(y)

    @cached_property
    def T(self) -> LinearOperator:  # noqa: N802
        return self._operator


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, operator: LinearOperator, x: torch.Tensor) -> torch.Tensor:
        ctx.operator = operator
        return operator.forward(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor]:
        # Through the operator again, so that second derivatives exist too.
        return None, _Apply.apply(ctx.operator.T, gradients[0])
