"""The projector against ASTRA and against geometry."""

from __future__ import annotations

import math
from dataclasses import replace

import astra
import numpy as np
import pytest
import torch
from hypothesis import given
from laws import geometries, norm, parallel_beams, smooth_phantom

from resample_ct.errors import OptionError
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.physics.system_matrix import system_matrix


def astra_sinogram(geometry: ParallelBeam, image: np.ndarray) -> np.ndarray:
    rays = astra.create_proj_geom(
        "parallel", geometry.detector_spacing, geometry.n_detectors, np.array(geometry.angles)
    )
    projector = astra.create_projector("linear", rays, astra.create_vol_geom(*image.shape))
    identity, sinogram = astra.create_sino(image, projector)
    astra.data2d.delete(identity)
    astra.projector.delete(projector)
    return sinogram


def assert_like_astra(geometry: ParallelBeam, image: torch.Tensor) -> None:
    expected = torch.from_numpy(astra_sinogram(geometry, image[0, 0].numpy()))
    assert norm(SparseProjector(geometry)(image)[0, 0] - expected) <= 0.005 * norm(expected)


def test_agrees_with_astra_on_a_real_slice(real_slice):
    assert_like_astra(ParallelBeam.uniform(256, 25), real_slice)


def test_agrees_with_astra_on_uneven_views_and_another_spacing(real_slice):
    image = real_slice[..., 60:156, 40:136]
    assert_like_astra(ParallelBeam(96, (-0.4, 0.0, 0.7, math.pi / 2, 2.0, 5.0), 85, 1.7), image)


@pytest.mark.parametrize("spacing", [0.5, 1.0, 1.5])
def test_disc_gives_chord_lengths(spacing):
    size, radius, x, y, fine = 64, 18.0, 6.0, -9.0, 8
    place = (np.arange(size * fine) + 0.5) / fine - size / 2
    inside = (place - x) ** 2 + (-place[:, None] - y) ** 2 < radius**2  # rows run down, y up
    image = inside.reshape(size, fine, size, fine).mean(axis=(1, 3))
    angles = np.array([0.0, 0.3, math.pi / 4, 1.2, math.pi / 2, 2.5])
    geometry = ParallelBeam(size, tuple(angles), 90, spacing)
    s = (np.arange(90) - 44.5) * spacing - (x * np.cos(angles) + y * np.sin(angles))[:, None]
    chords = 2 * np.sqrt(np.maximum(radius**2 - s**2, 0))
    found = SparseProjector(geometry)(torch.from_numpy(image).float()[None, None])[0, 0].numpy()
    smooth = abs(abs(s) - radius) > 1.5  # a chord's end is steeper than a pixel can follow
    np.testing.assert_allclose(found[smooth], chords[smooth], atol=0.35)
    assert abs(found - chords).mean() < 0.1


def test_every_view_holds_the_images_mass():
    image = smooth_phantom(32)
    sums = SparseProjector(ParallelBeam(32, tuple(np.linspace(0, 3, 13)), 96, 0.5))(image).sum(dim=-1)
    torch.testing.assert_close(0.5 * sums, image.sum().expand_as(sums), rtol=2e-3, atol=0)


def test_half_a_turn_mirrors_the_detector():
    image = smooth_phantom(32)
    view, opposite = SparseProjector(ParallelBeam(32, (0.4, 0.4 + math.pi), 46))(image)[0, 0]
    torch.testing.assert_close(view, opposite.flip(0), rtol=0, atol=1e-4)


@given(parallel_beams)
def test_half_a_turn_of_the_image_exchanges_the_detectors_halves(geometry):
    geometry = replace(geometry, detector_offset=0.0)
    views = system_matrix(geometry).toarray().reshape(*geometry.sinogram_shape, -1)
    first = views[:, : geometry.n_detectors // 2]
    np.testing.assert_array_equal(views[:, ::-1, ::-1][:, : geometry.n_detectors // 2], first)


@given(geometries)
def test_crossings_are_in_order_and_none_comes_twice(geometry):
    matrix = system_matrix(geometry)
    within = np.diff(matrix.indices)
    ends = matrix.indptr[1:-1] - 1
    within[ends[(ends >= 0) & (ends < len(within))]] = 1
    assert (within > 0).all()


def test_views_along_the_axes_sum_rows_and_columns():
    image = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    down, across = SparseProjector(ParallelBeam(8, (0.0, math.pi / 2), 8))(image)[0, 0]
    torch.testing.assert_close(down, image[0, 0].sum(dim=0))
    torch.testing.assert_close(across, image[0, 0].sum(dim=1).flip(0))


def test_more_crossings_than_can_be_counted_are_refused():
    with pytest.raises(OptionError, match=r"found 5000 views of 1024 detectors .* use fewer views"):
        system_matrix(ParallelBeam(512, tuple(np.linspace(0, 3, 5000)), 1024))


def test_no_crossing_is_longer_than_a_pixels_diagonal_or_negative():
    lengths = system_matrix(ParallelBeam(16, tuple(np.linspace(-3, 3, 40)), 24, 0.7)).data
    assert lengths.min() > 0 and lengths.max() <= math.sqrt(2) + 1e-6
