"""The prior that keeps what its autoencoder loses."""

from __future__ import annotations

import pytest
import torch
from small_networks import measured

from resample_ct.reconstruct.keep_detail import DetailKeepingPrior
from resample_ct.reconstruct.resample import ReSample
from resample_ct.reconstruct.resample_settings import settings_from
from resample_ct.run.simulate import method_generators


@pytest.fixture
def kept(tiny_prior, real_slice):
    with torch.no_grad():
        detail = real_slice - tiny_prior.decode(tiny_prior.encode(real_slice))
    return DetailKeepingPrior(tiny_prior, detail)


def test_estimate_comes_back_as_it_was(kept, real_slice):
    with torch.no_grad():
        torch.testing.assert_close(kept.decode(kept.encode(real_slice)), real_slice)


def test_change_of_the_latent_changes_the_image_as_it_did(tiny_prior, kept, real_slice):
    with torch.no_grad():
        z = tiny_prior.encode(real_slice)
        other = z + 0.1
        change = kept.decode(other) - kept.decode(z)
        torch.testing.assert_close(
            change, tiny_prior.decode(other) - tiny_prior.decode(z), atol=1e-5, rtol=1e-4
        )


def test_everything_else_is_the_priors(tiny_prior, kept):
    assert kept.schedule is tiny_prior.schedule and kept.window == tiny_prior.window
    z = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(kept.predict_noise(z, 10), tiny_prior.predict_noise(z, 10))


def test_resample_that_keeps_detail_stays_nearer_to_its_estimate(tiny_prior, real_slice):
    """An untrained decoder loses all of an estimate, unless that is added back."""
    changes = ["start_estimate=own", "start=1", "steps=1", "final=none"]
    estimate = lambda measurement, generators: measurement.solution(real_slice)  # noqa: E731
    distances = {}
    for keep in ("false", "true"):
        method = ReSample(tiny_prior, settings_from("fast", [*changes, f"keep_detail={keep}"]), estimate)
        image = method(measured(real_slice), method_generators(0, [0])).x
        distances[keep] = float((image - real_slice).abs().mean())
    assert distances["true"] < 0.5 * distances["false"]
