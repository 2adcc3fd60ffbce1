"""Slice to sinogram: geometry, projector, noise; knows no DICOM and no network."""
