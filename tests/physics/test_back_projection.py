"""Pixel-driven back-projection against its definition, pixel by pixel."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_batch_is_loop, geometries

from resample_ct.physics import back_projection
from resample_ct.physics.back_projection import back_project
from resample_ct.physics.geometry import Geometry, ParallelBeam


def by_definition(geometry: Geometry, views: np.ndarray) -> np.ndarray:
    """numpy's own interpolation, with a 0 beyond either end of the detector."""
    n, spacing = geometry.image_size, geometry.detector_spacing
    x = np.arange(n) - (n - 1) / 2
    places = geometry.detector_places
    places = np.concatenate([[places[0] - spacing], places, [places[-1] + spacing]])
    image = np.zeros((n, n))
    for angle, view in zip(geometry.angles, views, strict=True):
        shadow, weight = geometry.shadow(angle, x, -x[:, None])
        image += weight * np.interp(shadow, places, np.concatenate([[0.0], view, [0.0]]))
    return image


@given(geometries, st.integers(0, 2**31))
def test_every_pixel_gathers_what_its_shadow_falls_on(geometry, seed):
    views = torch.rand(1, 1, *geometry.sinogram_shape, generator=torch.Generator().manual_seed(seed))
    expected = by_definition(geometry, views[0, 0].double().numpy())
    found = back_project(geometry, views)[0, 0]
    # Places of up to a hundred pixels in single precision, and up to 8 views.
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_parts_are_the_whole(monkeypatch):
    rays = ParallelBeam.uniform(16, 11)
    views = torch.rand(2, 1, *rays.sinogram_shape)
    whole = back_project(rays, views)
    monkeypatch.setattr(back_projection, "_MOST_ENTRIES", 3 * 2 * 16**2)
    torch.testing.assert_close(back_project(rays, views), whole)


def test_batch_is_loop():
    rays = ParallelBeam.uniform(16, 5)
    views = torch.rand(3, 1, *rays.sinogram_shape, generator=torch.Generator().manual_seed(0))
    assert_batch_is_loop(lambda part: back_project(rays, part), views, 1e-5)
