"""Total variation by the primal-dual method of Chambolle and Pock.

A. Chambolle, T. Pock, J. Math. Imaging Vis. 40 (2011); the diagonal step sizes are theirs of ICCV
2011, the CT details those of Sidky, Jorgensen and Pan (Phys. Med. Biol. 57, 2012). The same solver,
with a prior image in the second term, is PICCS: Chen, Tang, Leng (Med. Phys. 35, 2008).
"""

from __future__ import annotations

import torch

from resample_ct.operators.base import LinearOperator

# Measured on the training patients: with these 100 iterations end within 0.1 dB of convergence, where
# equal steps for primal and dual variables are 1 dB short of it after 200.
_PRIMAL_TO_DUAL = 3.0
_GRADIENT_SCALE = 8.0

DEFAULT_ITERATIONS = 150


def weight_for_noise(noise_variance: torch.Tensor) -> torch.Tensor:
    """TV's weight for each slice, (B, 1, 1, 1), from its mean noise variance (B,).

    0.05 + 0.7 sigma: a line through the weights that measured best on training slices of four
    patients at 25 views and sigma = 0.01, 0.1 and 0.5 (`benchmarks/tv_weight.py`).
    """
    return (0.05 + 0.7 * noise_variance.sqrt()).view(-1, 1, 1, 1)


def gradient(x: torch.Tensor) -> torch.Tensor:
    """Forward differences, (B, 2, row, column); zero across the last row and column."""
    result = x.new_zeros(x.shape[0], 2, *x.shape[2:])
    _gradient_into(result, x)
    return result


def _gradient_into(result: torch.Tensor, x: torch.Tensor) -> None:
    """`gradient` in place; the last row and column of `result` stay as they are."""
    torch.sub(x[:, 0, 1:], x[:, 0, :-1], out=result[:, 0, :-1])
    torch.sub(x[:, 0, :, 1:], x[:, 0, :, :-1], out=result[:, 1, :, :-1])


def gradient_adjoint(p: torch.Tensor) -> torch.Tensor:
    """The exact adjoint of `gradient`, (B, 1, row, column)."""
    result = p.new_zeros(p.shape[0], 1, *p.shape[2:])
    _add_gradient_adjoint(result, p, 1.0)
    return result


def _add_gradient_adjoint(x: torch.Tensor, p: torch.Tensor, scale: float) -> None:
    """Add `scale` times `gradient_adjoint(p)` to x."""
    x[:, 0, :-1].sub_(p[:, 0, :-1], alpha=scale)
    x[:, 0, 1:].add_(p[:, 0, :-1], alpha=scale)
    x[:, 0, :, :-1].sub_(p[:, 1, :, :-1], alpha=scale)
    x[:, 0, :, 1:].add_(p[:, 1, :, :-1], alpha=scale)


class _Penalty:
    """One term weight * TV(x - reference): its dual variable, and how that takes a step.

    Every field is as large as the image and is written in place: the solver is bound by memory, and
    a temporary costs as much as the sum that it holds.
    """

    def __init__(
        self, weight: float | torch.Tensor, reference: torch.Tensor | None, like: torch.Tensor
    ) -> None:
        self.limit = weight / _GRADIENT_SCALE
        self.step = 1 / (_PRIMAL_TO_DUAL * 2)
        self.dual = like.new_zeros(like.shape[0], 2, *like.shape[2:])
        self.shift = None if reference is None else gradient(reference).mul_(self.step)
        self._norm = torch.empty_like(like)

    def ascend(self, slope: torch.Tensor) -> None:
        """Follow the gradient, then go back to the nearest point that is nowhere longer than `limit`."""
        self.dual.add_(slope, alpha=self.step)
        if self.shift is not None:
            self.dual.sub_(self.shift)
        down, across, norm = self.dual[:, :1], self.dual[:, 1:], self._norm
        torch.mul(down, down, out=norm).addcmul_(across, across)
        norm.rsqrt_().mul_(self.limit).clamp_(max=1.0)
        down.mul_(norm)
        across.mul_(norm)


def _primal_dual(
    operator: LinearOperator,
    y: torch.Tensor,
    terms: list[tuple[float | torch.Tensor, torch.Tensor | None]],
    start: torch.Tensor | None,
    iterations: int,
) -> torch.Tensor:
    """The argmin over x >= 0 of 0.5 ||A x - y||^2 + sum of weight * TV(x - reference)."""
    transpose = operator.T
    ones = y.new_ones(1, 1, *operator.domain_shape)
    rows = operator(ones).clamp(min=1e-3)
    columns = transpose(y.new_ones(1, 1, *operator.range_shape))
    x_step = (_PRIMAL_TO_DUAL / (columns + 4 * _GRADIENT_SCALE * len(terms))).contiguous()
    # p <- (p + p_step (A x - y)) / (1 + p_step)
    keep = (1 - 1 / (1 + _PRIMAL_TO_DUAL * rows)).contiguous()
    take = 1 - keep
    taken = take * y
    shape = y.shape[0], 1, *operator.domain_shape
    x = y.new_zeros(shape) if start is None else start.clone(memory_format=torch.contiguous_format)
    extrapolated, following, step = x.clone(), torch.empty_like(x), torch.empty_like(x)
    slope = x.new_zeros(x.shape[0], 2, *x.shape[2:])
    p = y.new_zeros(y.shape)
    penalties = [_Penalty(weight, reference, x) for weight, reference in terms]
    for _ in range(iterations):
        p.mul_(keep).addcmul_(take, operator(extrapolated)).sub_(taken)
        _gradient_into(slope, extrapolated)
        step.copy_(transpose(p))
        for penalty in penalties:
            penalty.ascend(slope)
            _add_gradient_adjoint(step, penalty.dual, _GRADIENT_SCALE)
        torch.addcmul(x, x_step, step, value=-1.0, out=following).clamp_(min=0.0)
        torch.lerp(x, following, 2.0, out=extrapolated)
        x, following = following, x
    return x


def tv(
    operator: LinearOperator,
    y: torch.Tensor,
    weight: float | torch.Tensor,
    iterations: int = DEFAULT_ITERATIONS,
    start: torch.Tensor | None = None,
) -> torch.Tensor:
    """The argmin over x >= 0 of 0.5 ||A x - y||^2 + weight * TV(x), isotropic.

    Args:
        operator: A.
        y: (B, 1, angle, detector).
        weight: positive; a number, or (B, 1, 1, 1) for one a slice.
        iterations: primal-dual steps.
        start: (B, 1, row, column); zero without it.

    Returns:
        (B, 1, row, column), not negative.
    """
    return _primal_dual(operator, y, [(weight, None)], start, iterations)


def piccs(
    operator: LinearOperator,
    y: torch.Tensor,
    prior_image: torch.Tensor,
    weight: float | torch.Tensor,
    share: float,
    iterations: int,
) -> torch.Tensor:
    """As `tv`, with the penalty weight * (share * TV(x - prior) + (1 - share) * TV(x)).

    Args:
        operator: A.
        y: (B, 1, angle, detector).
        prior_image: (B, 1, row, column), whose edges are trusted; also where the solver starts.
        weight: positive; a number, or (B, 1, 1, 1) for one a slice.
        share: alpha of PICCS, in (0, 1).
        iterations: primal-dual steps.

    Returns:
        (B, 1, row, column), not negative.
    """
    terms = [(weight * share, prior_image), (weight * (1 - share), None)]
    return _primal_dual(operator, y, terms, prior_image, iterations)
