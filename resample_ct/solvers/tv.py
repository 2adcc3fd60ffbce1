"""Total variation by the primal-dual method of Chambolle and Pock.

A. Chambolle, T. Pock, J. Math. Imaging Vis. 40 (2011); the diagonal step sizes are theirs of ICCV
2011, the CT details those of Sidky, Jorgensen and Pan (Phys. Med. Biol. 57, 2012). The same solver,
with a prior image in the second term, is PICCS: Chen, Tang, Leng (Med. Phys. 35, 2008).
"""

from __future__ import annotations

import torch

from resample_ct.physics.operator import LinearOperator

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
    result[:, 0, :-1] = x[:, 0, 1:] - x[:, 0, :-1]
    result[:, 1, :, :-1] = x[:, 0, :, 1:] - x[:, 0, :, :-1]
    return result


def gradient_adjoint(p: torch.Tensor) -> torch.Tensor:
    """The exact adjoint of `gradient`, (B, 1, row, column)."""
    result = p.new_zeros(p.shape[0], 1, *p.shape[2:])
    result[:, 0, :-1] -= p[:, 0, :-1]
    result[:, 0, 1:] += p[:, 0, :-1]
    result[:, 0, :, :-1] -= p[:, 1, :, :-1]
    result[:, 0, :, 1:] += p[:, 1, :, :-1]
    return result


def _primal_dual(
    operator: LinearOperator,
    y: torch.Tensor,
    terms: list[tuple[float | torch.Tensor, torch.Tensor | None]],
    start: torch.Tensor | None,
    iterations: int,
) -> torch.Tensor:
    """The argmin over x >= 0 of 0.5 ||A x - y||^2 + sum of weight * TV(x - reference)."""
    transpose = operator.T
    scale = _GRADIENT_SCALE
    ones = y.new_ones(1, 1, *operator.domain_shape)
    rows = operator(ones).clamp(min=1e-3)
    columns = transpose(y.new_ones(1, 1, *operator.range_shape))
    x_step = _PRIMAL_TO_DUAL / (columns + 4 * scale * len(terms))
    p_step = 1 / (_PRIMAL_TO_DUAL * rows)
    q_step = 1 / (_PRIMAL_TO_DUAL * 2 * scale)
    x = y.new_zeros(y.shape[0], 1, *operator.domain_shape) if start is None else start
    extrapolated = x
    p = torch.zeros_like(y)
    limits = [weight / scale for weight, _ in terms]
    references = [0.0 if r is None else gradient(r) for _, r in terms]
    duals = [x.new_zeros(x.shape[0], 2, *x.shape[2:]) for _ in terms]
    for _ in range(iterations):
        p = (p + p_step * (operator(extrapolated) - y)) / (1 + p_step)
        slope = gradient(extrapolated)
        for index, (limit, reference) in enumerate(zip(limits, references, strict=True)):
            q = duals[index] + q_step * scale * (slope - reference)
            duals[index] = q / (q.norm(dim=1, keepdim=True) / limit).clamp(min=1.0)
        previous = x
        step = transpose(p) + scale * gradient_adjoint(torch.stack(duals).sum(dim=0))
        x = (x - x_step * step).clamp(min=0.0)
        extrapolated = 2 * x - previous
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
