"""Rebinned helical data against the exact parallel projections of the same object.

The errors stated in `docs/projections.md` are bounded here. The scanner is coarse: 240 views a turn, and
elements of 2.8 mm at the axis, four times those of a real one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ct_pd_files import WATER, Scanner, parallel, phantom, scan_of

from resample_ct.errors import SinogramError
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.rebin import Rebinner

GEOMETRY = ParallelBeam.uniform(96, 12)
PIXEL_MM = 4.0
# A focal spot that flies 5 mm across, to one side, and 2 mm along the axis: far, so that it matters.
FLIGHTS = ((0.008, 0.5, 1.0), (0.0, 0.0, 1.0), (0.008, 0.5, -1.0), (0.0, 0.0, -1.0))


def relative_error(scanner, shapes, place=None, scan=None):
    """Root mean square error of the rebinned sinogram, as a share of the exact one's."""
    z = scanner.middle if place is None else place
    rebinner = Rebinner(scan or scan_of(scanner, shapes), GEOMETRY, PIXEL_MM)
    exact = parallel(shapes, GEOMETRY, PIXEL_MM, z)
    return np.sqrt(((rebinner(z) - exact) ** 2).mean() / (exact**2).mean())


@pytest.mark.parametrize("position", ["HFS", "FFS", "HFP", "FFP"])
@pytest.mark.parametrize("direction", [1, -1], ids=["rising", "falling"])
def test_an_object_that_does_not_change_along_the_axis(position, direction):
    scanner = Scanner(position=position, direction=direction)
    assert relative_error(scanner, phantom(0.0)) < 0.01


def test_ellipsoids_of_the_size_of_organs():
    scanner = Scanner()
    # The bone is 40 mm long, the collimation 35 mm at the axis.
    assert relative_error(scanner, phantom(scanner.middle, half_mm=20.0)) < 0.01


def test_a_slice_at_the_end_of_the_bone_where_rays_above_and_below_differ():
    scanner = Scanner()
    shapes = phantom(scanner.middle + 18.0, half_mm=20.0)
    assert relative_error(scanner, shapes) < 0.02


def test_a_flying_focal_spot_is_followed():
    scanner = Scanner(flights=FLIGHTS)
    shapes = phantom(scanner.middle, half_mm=20.0)
    scan = scan_of(scanner, shapes)
    ignored = replace(scan, shifts=np.zeros_like(scan.shifts))
    followed = relative_error(scanner, shapes, scan=scan)
    assert followed < 0.015
    assert relative_error(scanner, shapes, scan=ignored) > 1.7 * followed


def test_more_views_a_turn_bring_the_rebinning_nearer():
    errors = [relative_error(Scanner(views=views), phantom(0.0)) for views in (60, 240)]
    assert errors[1] < 0.6 * errors[0]


def test_the_water_integral_through_the_middle_is_the_chord():
    scanner = Scanner()
    shapes = phantom(0.0)[:1]
    sinogram = Rebinner(scan_of(scanner, shapes), GEOMETRY, PIXEL_MM)(scanner.middle)
    # Seen from the front the body is 220 mm deep.
    assert sinogram[0].max() == pytest.approx(220 * WATER, rel=0.005)


def test_slices_beyond_the_scan_are_refused_with_what_was_measured():
    scanner = Scanner()
    rebinner = Rebinner(scan_of(scanner, phantom(0.0)), GEOMETRY, PIXEL_MM)
    low, high = rebinner.covered_mm
    assert scanner.z[0] <= low < scanner.middle < high <= scanner.z[-1]
    for z in (low, high):
        assert np.isfinite(rebinner(z)).all()
    for z in (scanner.z[0] - 30, scanner.z[-1] + 30):
        with pytest.raises(SinogramError, match=f"between {low:.1f} and {high:.1f} mm"):
            rebinner(z)
