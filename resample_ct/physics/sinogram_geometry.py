"""A scan's geometry as a sinogram file states it: in millimetres, not in the geometry's image pixels.

The file says where the axis of rotation falls on the detector, because that is what is measured; a
`Geometry` says how far the detector is shifted, which has the opposite sign.
"""

from __future__ import annotations

import numpy as np

from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import Geometry, ParallelBeam
from resample_ct.physics.hdf5_fields import Fields

KINDS = ("parallel", "fan-flat", "fan-curved")
# Two statements of one axis, in detector pixels, are rounded somewhere.
_SAME_AXIS = 0.01


def geometry_attributes(geometry: Geometry, pixel_mm: float) -> dict[str, object]:
    """The attributes that `read_geometry` reads back, for an image pixel of `pixel_mm`."""
    attributes: dict[str, object] = {
        "geometry": "parallel",
        "image_size": geometry.image_size,
        "detector_pixel_mm": geometry.detector_spacing * pixel_mm,
        "center_of_rotation": (geometry.n_detectors - 1) / 2 - geometry.detector_offset,
    }
    if isinstance(geometry, FanBeam):
        attributes |= {
            "geometry": "fan-curved" if geometry.curved else "fan-flat",
            "source_origin_mm": geometry.source_origin * pixel_mm,
            "source_detector_mm": geometry.source_detector * pixel_mm,
        }
    return attributes


def read_geometry(
    fields: Fields, version: int, size: int, angles: np.ndarray, n_detectors: int, pixel_mm: float
) -> Geometry:
    """Read the rays of a file of either version.

    Args:
        fields: the file's attributes.
        version: 1, which knows parallel rays and gives the detector pixel in image pixels, or 2.
        size: pixels of the image's side.
        angles: radians, one a view.
        n_detectors: detector pixels.
        pixel_mm: of the image.

    Raises:
        SinogramError: an attribute that is missing or impossible.
        OptionError: attributes that no ray could be drawn from.
    """
    views = tuple(angles.tolist())
    offset = _detector_offset(fields, n_detectors)
    if version == 1:
        spacing = fields.number("detector_spacing", default=1.0)
        return ParallelBeam(size, views, n_detectors, spacing, offset)
    kind = fields.attribute("geometry")
    if kind not in KINDS:
        raise fields.refuse("attribute geometry", kind, f"one of {', '.join(KINDS)}", "state it")
    if kind == "parallel":
        width = fields.number("detector_pixel_mm", default=pixel_mm)
        return ParallelBeam(size, views, n_detectors, _pixels(width, pixel_mm), offset)
    return FanBeam(
        size,
        views,
        n_detectors,
        _pixels(fields.number("detector_pixel_mm"), pixel_mm),
        offset,
        source_origin=_pixels(fields.number("source_origin_mm"), pixel_mm),
        source_detector=_pixels(fields.number("source_detector_mm"), pixel_mm),
        curved=kind == "fan-curved",
    )


def _pixels(length_mm: float, pixel_mm: float) -> float:
    # What was multiplied by the pixel when it was written comes back without the product's rounding.
    return float(f"{length_mm / pixel_mm:.12g}")


def _detector_offset(fields: Fields, n_detectors: int) -> float:
    """The geometry's `detector_offset`, from either of the two ways that files state the axis."""
    middle = (n_detectors - 1) / 2
    stated = {}
    for name, origin in (("center_of_rotation", 0.0), ("detector_offset", middle)):
        value = fields.attribute(name)
        if value is not None:
            stated[name] = fields.finite(name, value) + origin
    axes = list(stated.values())
    if axes and max(axes) - min(axes) > _SAME_AXIS:
        raise fields.refuse(
            f"attributes {' and '.join(stated)}",
            f"the rotation axis at detector pixels {axes[0]:g} and {axes[1]:g}",
            "one place",
            "correct or delete one of them",
        )
    for axis in axes:
        if not 0 <= axis <= n_detectors - 1:
            raise fields.refuse(
                f"attribute {next(iter(stated))}",
                f"the rotation axis at detector pixel {axis:g}",
                f"one on the detector, 0 to {n_detectors - 1}",
                "correct it; it is counted in detector pixels",
            )
    return middle - axes[0] if axes else 0.0
