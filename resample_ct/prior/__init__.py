"""What a CT slice looks like: noise schedule and diffusion priors; no DICOM, no projector, no files."""
