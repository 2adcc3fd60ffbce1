"""The projector against ASTRA and against geometry."""

from __future__ import annotations

import math
from dataclasses import replace

import astra
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import (
    fan_beams,
    geometries,
    norm,
    parallel_beams,
    smooth_phantom,
    smooth_sinogram,
)

from resample_ct.errors import OptionError
from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.physics.system_matrix import system_matrix

ALL_AROUND = ParallelBeam.uniform(64, 12)
geometries_of_64 = parallel_beams.map(lambda rays: replace(rays, image_size=64)) | fan_beams.map(
    lambda rays: replace(
        rays,
        image_size=64,
        source_origin=rays.source_origin + 30,
        source_detector=rays.source_detector + 30,
    )
)


def astra_sinogram(geometry: ParallelBeam, image: np.ndarray) -> np.ndarray:
    rays = astra.create_proj_geom(
        "parallel", geometry.detector_spacing, geometry.n_detectors, np.array(geometry.angles)
    )
    projector = astra.create_projector("linear", rays, astra.create_vol_geom(*image.shape))
    identity, sinogram = astra.create_sino(image, projector)
    astra.data2d.delete(identity)
    astra.projector.delete(projector)
    return sinogram


def assert_like_astras_fan(fan: FanBeam, image: torch.Tensor, relative: float) -> None:
    """Its `line_fanflat`: exact lengths within pixels, where ours interpolates between them."""
    rays = astra.create_proj_geom(
        "fanflat",
        fan.detector_spacing,
        fan.n_detectors,
        np.array(fan.angles),
        fan.source_origin,
        fan.source_detector - fan.source_origin,
    )
    projector = astra.create_projector("line_fanflat", rays, astra.create_vol_geom(*fan.image_shape))
    identity, sinogram = astra.create_sino(image[0, 0].numpy(), projector)
    astra.data2d.delete(identity)
    astra.projector.delete(projector)
    expected = torch.from_numpy(sinogram)
    assert norm(SparseProjector(fan)(image)[0, 0] - expected) <= relative * norm(expected)


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


@settings(max_examples=50)
@given(geometries_of_64)
def test_smooth_phantom_gives_its_exact_line_integrals(geometry):
    """Joseph's interpolation errs by the second derivative: half a per cent of the peak was seen."""
    exact = smooth_sinogram(geometry)
    found = SparseProjector(geometry)(smooth_phantom(64))
    assert float((found - exact).abs().max()) < 0.01 * float(smooth_sinogram(ALL_AROUND).max())


@settings(max_examples=30)
@given(st.floats(1.0, 3.0), st.floats(1.5, 4.0), st.lists(st.integers(-500, 500), min_size=1, max_size=4))
def test_agrees_with_astras_fan_on_a_smooth_phantom(nearness, magnification, degrees):
    fan = FanBeam.uniform(
        64, 1, source_origin=50 * nearness, source_detector=50 * nearness * magnification
    )
    # Single views of 64 rays: 0.6 % was seen.
    assert_like_astras_fan(replace(fan, angles=tuple(np.deg2rad(degrees))), smooth_phantom(64), 0.02)


@pytest.mark.parametrize("source_origin, source_detector", [(200.0, 400.0), (423.0, 772.0)])
def test_agrees_with_astras_fan_on_a_real_slice(real_slice, source_origin, source_detector):
    fan = FanBeam.uniform(256, 25, source_origin=source_origin, source_detector=source_detector)
    assert_like_astras_fan(fan, real_slice, 0.005)


@given(st.floats(-3, 3), st.booleans(), st.floats(-2, 2))
def test_turning_the_scan_and_the_image_by_a_quarter_is_the_same(start, curved, offset):
    fan = FanBeam(
        16,
        (start, start + 1),
        40,
        1.5,
        offset,
        source_origin=30.0,
        source_detector=50.0,
        curved=curved,
    )
    turned = replace(fan, angles=(start + math.pi / 2, start + 1 + math.pi / 2))
    image = smooth_phantom(16)
    expected = SparseProjector(fan)(image)
    torch.testing.assert_close(
        SparseProjector(turned)(image.rot90(1, (2, 3))), expected, rtol=0, atol=2e-4
    )


def test_flat_and_curved_detectors_measure_the_same_rays_at_the_same_fan_angles():
    fan = {"source_origin": 60.0, "source_detector": 100.0}
    curved = FanBeam(32, (0.3, 2.0), 1, 1.0, 0.8, curved=True, **fan)
    flat = FanBeam(32, (0.3, 2.0), 1, 100 * math.tan(0.008), 1.0, **fan)
    image = smooth_phantom(32)
    torch.testing.assert_close(SparseProjector(curved)(image), SparseProjector(flat)(image))


def test_distant_source_sends_parallel_rays():
    parallel = ParallelBeam(32, (0.2, 1.1, 2.5), 47, 1.0, 0.25)
    fan = FanBeam(32, parallel.angles, 47, 1.0, 0.25, source_origin=1e6, source_detector=1e6)
    image = smooth_phantom(32)
    found, expected = SparseProjector(fan)(image), SparseProjector(parallel)(image)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


def test_whole_offset_shifts_the_views_by_detector_pixels():
    image = smooth_phantom(32)
    for rays in (
        ParallelBeam(32, (0.2, 1.1), 50),
        FanBeam(32, (0.2, 1.1), 50, 2.0, source_origin=60.0, source_detector=100.0),
    ):
        shifted = SparseProjector(replace(rays, detector_offset=3.0))(image)
        torch.testing.assert_close(shifted[..., :-3], SparseProjector(rays)(image)[..., 3:])


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
