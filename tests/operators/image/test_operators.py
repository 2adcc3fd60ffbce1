"""Laws of the operators on images, over random sizes, seeds and channels."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from laws import (
    assert_adjoint,
    assert_batch_is_loop,
    assert_gradient_is_adjoint,
    assert_linear,
    norm,
    random_pair,
    shepp_like,
)

from resample_ct.errors import OptionError
from resample_ct.operators.base import LinearOperator
from resample_ct.operators.image.gaussian_blur import blur_matrix, gaussian_blur
from resample_ct.operators.image.inpainting import KeptPixels
from resample_ct.operators.image.nonlinear_blur import NonlinearBlur, motion_kernel
from resample_ct.operators.image.super_resolution import bicubic_matrix, downsampling
from resample_ct.operators.image.tasks import TASKS, degraded_picture

seeds = st.integers(0, 2**31)
batches = st.integers(1, 3)
channels = st.sampled_from([1, 3])
linear = st.one_of(
    st.builds(downsampling, st.integers(1, 6).map(lambda n: 4 * n), channels),
    st.builds(downsampling, st.integers(1, 6).map(lambda n: 6 * n), channels, st.sampled_from([2, 3])),
    st.builds(
        gaussian_blur, st.integers(1, 24), channels, st.sampled_from([1, 5, 61]), st.floats(0.3, 5)
    ),
    st.builds(KeptPixels, st.integers(4, 20), channels, st.floats(0, 0.8), seeds),
)
nonlinear = st.builds(
    NonlinearBlur, st.integers(8, 16), channels, st.sampled_from([3, 5, 9]), st.floats(0.5, 4), seeds
)


@given(linear, batches, seeds)
def test_adjoint(operator, batch, seed):
    assert_adjoint(operator, batch, seed)
    assert_adjoint(operator.T, batch, seed)


@given(linear, batches, seeds)
def test_linear(operator, batch, seed):
    assert_linear(operator, batch, seed)


@given(linear, batches, seeds)
def test_gradient_is_the_adjoint(operator, batch, seed):
    assert_gradient_is_adjoint(operator, batch, seed)


@given(linear, seeds)
def test_singular_values_and_vectors(operator, seed):
    spectrum = operator.spectrum()
    x, _ = random_pair(operator, 2, seed)
    left = spectrum.measured(operator(x))
    coefficients = spectrum.analyse(x)
    size = norm(x) * float(spectrum.singular_values.max())
    assert norm(left - spectrum.singular_values * coefficients) <= 1e-5 * size
    seen = spectrum.synthesise(coefficients)
    assert norm(operator(x - seen)) <= 1e-3 * size
    assert norm(spectrum.analyse(seen) - coefficients) <= 1e-5 * norm(x)


@given(nonlinear, batches, seeds)
def test_gradient_of_the_nonlinear_operator_is_that_of_finite_differences(operator, batch, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = batch, operator.channels, *operator.domain_shape
    x, direction = (torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    x.requires_grad_(True)
    weights = torch.rand(shape, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((weights * operator(x)).sum(), x)
    step = 1e-4
    with torch.no_grad():
        change = operator(x + step * direction) - operator(x - step * direction)
    slope = float((weights * change).sum() / (2 * step))
    assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-5)


@given(st.one_of(linear, nonlinear), seeds)
def test_batch_is_loop(operator, seed):
    assert_batch_is_loop(operator, random_pair(operator, 3, seed)[0], 1e-5)


@given(nonlinear, seeds)
def test_nonlinear_blur_keeps_constants_and_order_and_is_not_linear(operator, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = 1, operator.channels, *operator.domain_shape
    x = torch.rand(shape, generator=generator)
    torch.testing.assert_close(operator(torch.full_like(x, 0.3)), torch.full_like(x, 0.3))
    assert (operator(x + 0.1) > operator(x)).all()
    blurred = operator(x)
    assert blurred.min() >= x.min() - 1e-5 and blurred.max() <= x.max() + 1e-5


def test_bright_smears_over_dark_more_than_dark_over_bright():
    """What linear blur does not: a white dot on black leaves more than a black dot on white takes."""
    operator = NonlinearBlur(33, 1, width=9)
    dot = torch.zeros(1, 1, 33, 33)
    dot[..., 16, 16] = 1
    assert operator(dot).sum() > 1.2 * (1 - operator(1 - dot)).sum()


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_motion_kernel_is_a_measure_that_spreads(seed):
    kernel = motion_kernel(31, seed)
    assert kernel.min() >= 0 and kernel.sum() == pytest.approx(1)
    assert 10 < (kernel > 0).sum() < 0.5 * 31**2
    assert abs(kernel - motion_kernel(31, seed + 1)).sum() > 0.5


def test_downsampling_averages_before_it_skips():
    """A pattern that the coarse grid cannot hold must vanish, not turn into another one."""
    stripes = (torch.arange(64) % 2).float().expand(1, 1, 64, 64)
    coarse = downsampling(64, 1)(stripes)
    assert coarse.shape == (1, 1, 16, 16)
    inner = coarse[..., 2:-2]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.5), rtol=0, atol=1e-3)


def test_downsampling_keeps_constants_and_ramps():
    matrix = torch.from_numpy(bicubic_matrix(64, 4))
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(16, dtype=torch.float64))
    ramp = matrix @ torch.arange(64, dtype=torch.float64)
    torch.testing.assert_close(ramp[3:-3], 4 * torch.arange(3, 13).double() + 1.5)


def test_downsampling_agrees_with_torchs_antialiased_bicubic_away_from_the_edge():
    image = shepp_like(64)
    expected = torch.nn.functional.interpolate(image, (16, 16), mode="bicubic", antialias=True)
    found = downsampling(64, 1)(image)
    torch.testing.assert_close(found[..., 3:-3, 3:-3], expected[..., 3:-3, 3:-3], rtol=0, atol=1e-4)


def test_side_that_cannot_be_divided_is_refused():
    with pytest.raises(OptionError, match="super-resolution: found a side of 63"):
        downsampling(63, 1)


def test_gaussian_blur_has_the_stated_standard_deviation():
    dot = torch.zeros(1, 1, 129, 129)
    dot[..., 64, 64] = 1
    spread = gaussian_blur(129, 1)(dot)[0, 0]
    place = torch.arange(129) - 64.0
    assert float(spread.sum()) == pytest.approx(1, abs=1e-5)
    assert float((spread.sum(dim=0) * place**2).sum()) == pytest.approx(9.0, rel=1e-3)


def test_gaussian_blur_reflects_at_the_edge():
    rows = torch.from_numpy(blur_matrix(40, 61, 3.0))
    torch.testing.assert_close(rows.sum(dim=1), torch.ones(40, dtype=torch.float64))
    image = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(image, (30, 30, 30, 30), mode="reflect")
    wide = gaussian_blur(100, 1)(padded)[..., 30:-30, 30:-30]
    torch.testing.assert_close(gaussian_blur(40, 1)(image), wide, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size, missing", [(256, 0.7), (10, 0.25)])
def test_inpainting_loses_the_stated_share_and_keeps_the_rest(size, missing):
    operator = KeptPixels(size, 3, missing)
    assert operator.range_shape == (1, size**2 - round(missing * size**2))
    image = 1 + torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    seen = degraded_picture(operator, operator(image))
    kept = seen > 0
    assert torch.equal(seen[kept], image[kept])
    assert torch.equal(kept[:, 0], kept[:, 2])


def test_seed_chooses_the_pixels():
    x = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    first, again, other = (KeptPixels(32, 1, seed=seed)(x) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("task", TASKS)
def test_task_has_an_operator_for_colour_and_for_slices(task):
    for colours in (1, 3):
        operator = TASKS[task](64, colours, 0, "cpu")
        x = torch.rand(2, colours, 64, 64, generator=torch.Generator().manual_seed(0))
        y = operator(x)
        assert y.shape == (2, colours, *operator.range_shape)
        assert degraded_picture(operator, y).shape[:2] == (2, colours)
        assert isinstance(operator, LinearOperator) == (task != "nonlinear-deblur")
        with pytest.raises(ValueError, match="found shape"):
            operator(x[:, :1].expand(2, 2, 64, 64))
