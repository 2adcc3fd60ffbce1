"""Some of a helical scan's own views, as a fan a slice, against the exact rays of that fan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ct_pd_files import Scanner, in_plane, phantom, scan_of

from resample_ct.errors import SinogramError
from resample_ct.physics.source_positions import SourcePositions

PIXEL_MM = 2.0


def relative_error(scanner, shapes, count=25, place=None):
    """Root mean square error of the views, as a share of the exact ones'."""
    z = scanner.middle if place is None else place
    measured = SourcePositions(scan_of(scanner, shapes), count)
    exact = in_plane(shapes, measured.geometry(256, PIXEL_MM), PIXEL_MM, z)
    found, _ = measured(z)
    assert found.shape == (count, scanner.columns)
    return np.sqrt(((found - exact) ** 2).mean() / (exact**2).mean())


@pytest.mark.parametrize("position", ["HFS", "FFS", "HFP", "FFP"])
@pytest.mark.parametrize("direction", [1, -1], ids=["rising", "falling"])
def test_an_object_that_does_not_change_along_the_axis(position, direction):
    """Only the elements' place is interpolated, along rows that all see the same: rounding is left."""
    scanner = Scanner(position=position, direction=direction)
    assert relative_error(scanner, phantom(0.0)) < 1e-5


def test_ellipsoids_of_the_size_of_organs():
    scanner = Scanner()
    # The bone is 40 mm long, and a view up to 14 mm of feed away sees it through tilted rays: 0.3 % seen.
    assert relative_error(scanner, phantom(scanner.middle, half_mm=20.0)) < 0.01


def test_a_focal_spot_that_flies_along_the_axis():
    scanner = Scanner(flights=((0.0, 0.0, 1.0), (0.0, 0.0, -1.0)))
    assert relative_error(scanner, phantom(0.0)) < 1e-5


def test_the_views_are_every_nth_that_the_scanner_took():
    scanner = Scanner(views=240)
    angles = np.array(SourcePositions(scan_of(scanner, phantom(0.0)), 24).geometry(256, 2.0).angles)
    steps = np.mod(np.diff(angles), 2 * np.pi)
    np.testing.assert_allclose(np.minimum(steps, 2 * np.pi - steps), 2 * np.pi / 24)


def test_the_noise_is_that_of_the_photons_stated():
    """Poisson noise added to every view, and what it leaves in the slice, against the noise told."""
    scanner = Scanner()
    clean, shapes = scan_of(scanner, phantom(0.0)), phantom(0.0)
    rng = np.random.default_rng(0)

    def noisy(view):
        counts = scanner.photons * np.exp(-scanner.measure(shapes, view))
        return -np.log(np.maximum(rng.poisson(counts), 1) / scanner.photons)

    quiet, sigma = SourcePositions(clean, 60)(scanner.middle)
    loud, _ = SourcePositions(replace(clean, load=noisy), 60)(scanner.middle)
    assert np.sqrt(((loud - quiet) ** 2).mean()) == pytest.approx(sigma, rel=0.05)
    assert SourcePositions(replace(clean, photons=None), 60)(scanner.middle)[1] is None


@pytest.mark.parametrize(
    "scanner, count, told",
    [
        (Scanner(flights=((0.001, 0, 0), (-0.001, 0, 0))), 25, "flies in the plane of rotation"),
        (Scanner(), 241, "240.00 source positions a turn, expected a whole number of at least 241"),
    ],
)
def test_what_is_no_fan_of_its_own_is_refused(scanner, count, told):
    with pytest.raises(SinogramError, match=told):
        SourcePositions(scan_of(scanner, phantom(0.0)), count)


def test_a_slice_between_the_turns_of_a_steep_helix_is_refused():
    scanner = Scanner(pitch=1.6, rotations=3.5)
    with pytest.raises(SinogramError, match="found rays beyond the detector's rows"):
        SourcePositions(scan_of(scanner, phantom(0.0)), 25)(scanner.middle)
