"""What a CT slice looks like: networks, noise schedule and bundles; knows no DICOM and no projector."""
