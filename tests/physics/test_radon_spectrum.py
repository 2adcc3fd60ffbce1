"""The singular value decomposition of the projector: exact, whatever symmetry its views have."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from laws import norm, random_pair

from resample_ct.errors import OptionError
from resample_ct.physics import radon_spectrum as module
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.radon_spectrum import RadonSpectrum
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.physics.system_matrix import system_matrix

VIEWS = {
    "even": tuple(k * math.pi / 6 for k in range(6)),
    "odd": tuple(k * math.pi / 5 for k in range(5)),
    "mirrored": (0.3, math.pi - 0.3, 1.0, math.pi - 1.0),
    "mirrored and turned": (0.3, 2 * math.pi - 0.3, 1.0 + math.pi, math.pi - 1.0),
    "no mirror": (0.1, 0.8, 1.7),
    "twice the same": (0.0, 0.0, 1.1, math.pi - 1.1),
}


@pytest.fixture(params=VIEWS)
def geometry(request):
    return ParallelBeam(12, VIEWS[request.param], 18)


def test_singular_values_are_those_of_the_matrix(geometry):
    dense = np.linalg.svd(system_matrix(geometry).toarray().astype(float), compute_uv=False)
    found = RadonSpectrum(geometry).singular_values.sort(descending=True).values
    expected = torch.from_numpy(dense[dense > 1e-4 * dense[0]]).float()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_image_and_measurement_have_the_same_coefficients_up_to_the_singular_values(geometry):
    operator, spectrum = SparseProjector(geometry), RadonSpectrum(geometry)
    x, _ = random_pair(operator, 2, 0)
    left = spectrum.measured(operator(x))
    assert norm(left - spectrum.singular_values * spectrum.analyse(x)) < 1e-4 * norm(left)


def test_right_vectors_are_orthonormal(geometry):
    spectrum = RadonSpectrum(geometry)
    rank = len(spectrum.singular_values)
    images = spectrum.synthesise(torch.eye(rank)[:, None])
    gram = images.flatten(1) @ images.flatten(1).T
    torch.testing.assert_close(gram, torch.eye(rank), rtol=0, atol=2e-3)


def test_what_is_left_of_an_image_is_not_seen(geometry):
    operator, spectrum = SparseProjector(geometry), RadonSpectrum(geometry)
    x, _ = random_pair(operator, 2, 1)
    seen = spectrum.synthesise(spectrum.analyse(x))
    assert norm(operator(x - seen)) < 1e-3 * norm(operator(x))


def test_even_views_split_into_four_blocks_and_others_into_two():
    def blocks(name):
        return len(module._symmetric_bases(ParallelBeam(12, VIEWS[name], 18)))

    assert blocks("even") == blocks("odd") == blocks("mirrored and turned") == 4
    assert blocks("no mirror") == 2


def test_too_many_rays_are_refused_before_they_are_decomposed(monkeypatch):
    monkeypatch.setattr(module, "_LARGEST_BLOCK", 10)
    with pytest.raises(OptionError, match=r"--angles 6: found .* rays in one block"):
        RadonSpectrum(ParallelBeam(12, VIEWS["even"], 18))


def test_projector_gives_its_spectrum_once():
    geometry = ParallelBeam(12, VIEWS["even"], 18)
    assert SparseProjector(geometry).spectrum() is SparseProjector(geometry).spectrum()
