"""Sinogram to slice: every method behind one `Reconstructor`; knows no DICOM."""
