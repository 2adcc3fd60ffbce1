"""Study in, study out: DICOM and NIfTI; knows no sinogram and no network."""
