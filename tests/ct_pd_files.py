"""A helical scanner that looks at ellipsoids and writes DICOM-CT-PD, with formulas of its own.

Everything is computed in the patient's frame (LPS), where the product works in the gantry's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from resample_ct.values.helical_scan import FanDetector, HelicalScan

# Patient's left, back and head, from those of a patient who lies feet first and supine.
TURNED = {
    "FFS": np.diag([1.0, 1, 1]),
    "HFS": np.diag([-1.0, 1, -1]),
    "HFP": np.diag([1.0, -1, -1]),
    "FFP": np.diag([-1.0, -1, 1]),
}
WATER = 0.02


@dataclass
class Ellipsoid:
    """Half axes in mm (infinite ones make a cylinder), centre in LPS mm, attenuation per mm added."""

    axes: tuple[float, float, float]
    centre: tuple[float, float, float]
    attenuation: float

    def chord(self, start, end):
        """Length inside of the line from `start` to `end`, (..., 3) each."""
        scale = 1 / np.array(self.axes)
        # Where a half axis is infinite, the place along it does not matter.
        a, b = (start - np.array(self.centre)) * scale, (end - start) * scale
        bb, ab, aa = (b * b).sum(-1), (a * b).sum(-1), (a * a).sum(-1)
        root = np.sqrt(np.maximum(ab**2 - bb * (aa - 1), 0))
        return 2 * root / bb * np.linalg.norm(end - start, axis=-1)


def integrals(shapes, start, end):
    return sum(shape.attenuation * shape.chord(start, end) for shape in shapes)


@dataclass
class Scanner:
    """Geometry of a helical scan, small enough for tests; the focal spot flies through `flights`."""

    columns: int = 184
    rows: int = 16
    width: float = 5.1432
    height: float = 4.0
    central: tuple[float, float] = (92.4, 8.5)
    distance: float = 1085.6
    radius: float = 595.0
    views: int = 240
    rotations: float = 2.5
    pitch: float = 0.8
    direction: int = 1
    z_start: float = 100.0
    position: str = "FFS"
    flights: tuple[tuple[float, float, float], ...] = ((0.0, 0.0, 0.0),)
    turned: np.ndarray = field(init=False)
    photons: np.ndarray = field(init=False)

    def __post_init__(self):
        count = round(self.views * self.rotations)
        self.turned = TURNED[self.position]
        feed = self.pitch * self.rows * self.height * self.radius / self.distance
        self.phi = 0.7 + self.direction * np.arange(count) * 2 * np.pi / self.views
        self.z = self.z_start + np.arange(count) / self.views * feed
        self.photons = 1e5 * np.cos(np.linspace(-1, 1, self.columns))
        self.shifts = np.array([self.flights[i % len(self.flights)] for i in range(count)])

    @property
    def middle(self):
        """Patient z of the middle of the scan."""
        return float(self.turned[2, 2] * (self.z[0] + self.z[-1]) / 2)

    def rays(self, view):
        """Focal spot, (3,), and elements, (row, column, 3), in LPS."""
        phi, z = self.phi[view], self.z[view]
        d_phi, d_rho, d_z = self.shifts[view]
        spot = [
            (self.radius + d_rho) * np.sin(phi + d_phi),
            -(self.radius + d_rho) * np.cos(phi + d_phi),
            z + d_z,
        ]
        fan = phi + (np.arange(1, self.columns + 1) - self.central[0]) * self.width / self.distance
        rise = (np.arange(1, self.rows + 1) - self.central[1]) * self.height
        elements = np.empty((self.rows, self.columns, 3))
        elements[..., 0] = self.radius * np.sin(phi) - self.distance * np.sin(fan)
        elements[..., 1] = -self.radius * np.cos(phi) + self.distance * np.cos(fan)
        elements[..., 2] = (z - rise)[:, None]
        return np.array(spot) @ self.turned, elements @ self.turned

    def measure(self, shapes, view):
        spot, elements = self.rays(view)
        return integrals(shapes, np.broadcast_to(spot, elements.shape), elements)

    def write(self, shapes, folder, transposed=False, edit=lambda dataset, view: None):
        """One file a view."""
        folder.mkdir()
        shared = {"study": generate_uid(), "series": generate_uid()}
        for view in range(len(self.phi)):
            dataset = self._dataset(self.measure(shapes, view), view, shared, transposed)
            edit(dataset, view)
            # In an order of names that is not the order of views.
            dataset.save_as(folder / f"{(view * 7919) % 100003:06d}.dcm", enforce_file_format=True)
        return folder

    def _dataset(self, values, view, shared, transposed):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = shared["study"], shared["series"]
        dataset.PatientID, dataset.PatientName, dataset.Modality = "P1", "Ellipsoid^Ellen", "CT"
        dataset.StudyDate, dataset.AccessionNumber = "20200102", "A7"
        dataset.InstanceNumber, dataset.PatientPosition = view + 1, self.position
        slope = 2e-4
        stored = np.round(values / slope).astype("<u2")
        stored = np.ascontiguousarray(stored.T if transposed else stored)
        dataset.Rows, dataset.Columns = stored.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 0
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, 0
        dataset.PixelData = stored.tobytes()
        d_phi, d_rho, d_z = map(float, self.shifts[view])
        for group, creator, elements in (
            (
                0x7029,
                "DetectorSystemArrangementModule",
                [
                    (0x10, "US", self.rows),
                    (0x11, "US", self.columns),
                    (0x02, "FL", self.width),
                    (0x06, "FL", self.height),
                    (0x0B, "CS", "CYLINDRICAL"),
                ],
            ),
            (
                0x7031,
                "DetectorDynamicsModule",
                [
                    # Between -pi and pi, as an angle is written.
                    (0x01, "FL", float(np.angle(np.exp(1j * self.phi[view])))),
                    (0x02, "FL", float(self.z[view])),
                    (0x03, "FL", self.radius),
                    (0x31, "FL", self.distance),
                    (0x33, "FL", list(self.central)),
                ],
            ),
            (
                0x7033,
                "SourceDynamicsModule",
                [
                    (0x0B, "FL", d_phi),
                    (0x0C, "FL", d_z),
                    (0x0D, "FL", d_rho),
                    (0x65, "FL", list(self.photons)),
                ],
            ),
            (0x7037, "ProjectionDataDefinitions", [(0x09, "CS", "HELICAL")]),
            (0x7041, "WaterAttenuationModule", [(0x01, "DS", str(WATER))]),
        ):
            block = dataset.private_block(group, creator, create=True)
            for element, vr, value in elements:
                block.add_new(element, vr, value)
        return dataset


def parallel(shapes, geometry, pixel_mm, z, parts=3):
    """The exact parallel sinogram of the slice at z, (angle, detector), each pixel's mean of `parts`."""
    step = geometry.detector_spacing * pixel_mm / parts
    count = geometry.n_detectors * parts
    s = (np.arange(count) - (count - 1) / 2) * step
    rows = []
    for angle in geometry.angles:
        # The image's y points up, the patient's to the back.
        normal = np.array([np.cos(angle), -np.sin(angle), 0.0])
        along = np.array([np.sin(angle), np.cos(angle), 0.0])
        foot = s[:, None] * normal + np.array([0, 0, z])
        rows.append(integrals(shapes, foot - 600 * along, foot + 600 * along))
    return np.array(rows).reshape(geometry.n_angles, -1, parts).mean(2)


def in_plane(shapes, geometry, pixel_mm, z):
    """The exact line integrals of any geometry's rays in the slice at z, (angle, detector)."""
    theta, s = geometry.lines()
    # The image's y points up, the patient's to the back.
    normal = np.stack([np.cos(theta), -np.sin(theta), np.zeros_like(theta)], -1)
    along = np.stack([np.sin(theta), np.cos(theta), np.zeros_like(theta)], -1)
    foot = (s * pixel_mm)[..., None] * normal + np.array([0, 0, z])
    return integrals(shapes, foot - 600 * along, foot + 600 * along)


def phantom(z, half_mm=np.inf):
    """A body with a bone to the left and front and a lung to the right, centred at z."""
    return [
        Ellipsoid((160, 110, 4 * half_mm), (10, -5, z), WATER),
        Ellipsoid((20, 20, half_mm), (60, -40, z), WATER),
        Ellipsoid((30, 45, 2 * half_mm), (-60, 0, z), -0.7 * WATER),
    ]


def scan_of(scanner, shapes):
    """The scan as the product reads it, without files."""
    detector = FanDetector(
        columns=scanner.columns,
        rows=scanner.rows,
        width_mm=scanner.width,
        height_mm=scanner.height,
        central=(scanner.central[0] - 1, scanner.central[1] - 1),
        distance_mm=scanner.distance,
        radius_mm=scanner.radius,
    )

    @lru_cache
    def load(view):
        return scanner.measure(shapes, view).astype(np.float32)

    return HelicalScan(
        detector,
        scanner.phi,
        scanner.z,
        scanner.shifts,
        load,
        WATER,
        scanner.position,
        "scan",
        lambda view: scanner.photons,
    )
