"""What a measurement refuses, and what it gives."""

from __future__ import annotations

import pytest
import torch

from resample_ct.errors import OptionError
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.reconstruct.base import Measurement

OPERATOR = make_projector(ParallelBeam.uniform(16, 5))
Y = torch.ones(3, 1, *OPERATOR.range_shape)
VARIANCE = torch.full((3,), 1e-4)


@pytest.mark.parametrize(
    ("sinogram", "noise_variance", "told"),
    [
        (Y.numpy(), VARIANCE, "sinogram: found ndarray, expected a tensor"),
        (Y.long(), VARIANCE, "sinogram: found torch.int64, expected floating-point numbers"),
        (
            Y.double(),
            VARIANCE,
            "sinogram: found torch.float64, expected torch.float32, in which operator",
        ),
        (Y[:, 0], VARIANCE, r"sinogram: found shape \(3, 5, 24\), expected \(B, 1, 5, 24\)"),
        (Y[..., 1:], VARIANCE, r"sinogram: found shape \(3, 1, 5, 23\), expected \(B, 1, 5, 24\)"),
        (Y[:0], VARIANCE[:0], r"sinogram: found shape \(0, 1, 5, 24\), .* B at least 1"),
        (Y / 0, VARIANCE, "sinogram: found NaN or infinity"),
        (Y, 1e-4, "noise_variance: found float, expected a tensor"),
        (Y, VARIANCE[:1], r"noise_variance: found shape \(1,\), expected \(3,\), one for each slice"),
        (Y, VARIANCE[:, None], r"noise_variance: found shape \(3, 1\)"),
        (Y, -VARIANCE, "noise_variance: found -0.0001"),
        (Y, VARIANCE * torch.nan, "noise_variance: found NaN or infinity"),
    ],
)
def test_argument_that_does_not_fit_is_refused_by_its_name(sinogram, noise_variance, told):
    with pytest.raises(OptionError, match=told):
        Measurement(OPERATOR, sinogram, noise_variance)


def test_solution_of_one_pass_holds_the_residual_of_its_image():
    image = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    measurement = Measurement(OPERATOR, Y, VARIANCE)
    found = measurement.solution(image)
    assert found.stopped == ("direct",) * 3 and found.iterations == (0,) * 3
    expected = (OPERATOR(image) - Y).square().flatten(1).mean(dim=1)
    torch.testing.assert_close(found.residual, expected)
