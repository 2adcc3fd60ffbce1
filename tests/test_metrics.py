"""Metrics against their formulas."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from resample_ct.metrics import SliceMetrics, compare
from resample_ct.values.units import Window


@pytest.fixture
def pair():
    """Two smooth slices and noisy copies, of which the second is the worse."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.nn.functional.avg_pool2d(torch.rand(2, 1, 48, 48, generator=generator), 5, 1, 2)
    noise = torch.randn(truth.shape, generator=generator) * torch.tensor([0.01, 0.05]).view(2, 1, 1, 1)
    return (truth + noise).clamp(0, 1), truth


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2004: Gaussian window of 11 pixels and sigma 1.5, mirrored at the border."""

    def blur(x):
        return gaussian_filter(x, 1.5, radius=5, mode="mirror")

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def test_psnr_and_rmse_follow_their_formulas(pair):
    image, truth = pair
    for (psnr, _, rmse), x, y in zip(compare(image, truth, Window()), image, truth, strict=True):
        mse = float(((x - y) ** 2).mean())
        assert psnr == pytest.approx(10 * math.log10(1 / mse), rel=1e-5)
        assert rmse == pytest.approx(math.sqrt(mse) * 3000, rel=1e-5)


def test_ssim_follows_its_formula(pair):
    image, truth = (part.double() for part in pair)
    for index, (_, found, _) in enumerate(compare(image, truth, Window())):
        assert found == pytest.approx(ssim(image[index, 0].numpy(), truth[index, 0].numpy()), abs=1e-5)


def test_constant_error_by_hand():
    ((psnr, _, rmse),) = compare(
        torch.full((1, 1, 16, 16), 0.6), torch.full((1, 1, 16, 16), 0.5), Window()
    )
    assert psnr == pytest.approx(20, abs=1e-4) and rmse == pytest.approx(300, rel=1e-5)


def test_rmse_scales_with_the_window(pair):
    wide, narrow = compare(*pair, Window()), compare(*pair, Window(-1000.0, 500.0))
    assert wide[0][2] == pytest.approx(2 * narrow[0][2])


def test_slice_does_not_depend_on_its_batch(pair):
    image, truth = pair
    alone = [compare(image[i : i + 1], truth[i : i + 1], Window())[0] for i in range(2)]
    np.testing.assert_allclose(compare(image, truth, Window()), alone, rtol=1e-5)


def test_image_is_clipped_to_the_window_as_its_truth_is(pair):
    image, truth = pair
    image[0, 0, 0, 0], truth[0, 0, 0, 0] = 7.0, 1.0
    assert compare(image, truth, Window()) == compare(image.clamp(0, 1), truth, Window())


def test_equal_slices_have_figures_that_json_can_hold(pair):
    _, truth = pair
    for psnr, similarity, rmse in compare(truth, truth, Window()):
        assert (psnr, rmse) == (pytest.approx(120), 0)
        assert similarity == pytest.approx(1)


def test_record_is_plain():
    metrics = SliceMetrics("fbp", "study", 3, 30.0, 0.9, 40.0, 1e-4, 0.5, 1, "direct")
    record = json.loads(json.dumps(metrics.record()))
    assert SliceMetrics(**record) == metrics
