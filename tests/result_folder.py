"""A small result folder, made without any reconstruction."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np

# A made-up stack, right-to-left and front-to-back as DICOM has it: (column, row, slice).
AFFINE = np.diag([-2.0, -2.0, 5.0, 1.0])


def save(hu, path, affine=AFFINE):
    nib.save(nib.Nifti1Image(hu.astype(np.float32), affine), path)


def make_result(folder, rng):
    """Truth, TV and ReSample with an uncertainty map: slices 9 to 13 of a study."""
    folder.mkdir()
    truth = np.full((24, 24, 5), -1000.0)
    for place in range(5):
        truth[4:20, 4:20, place] = -700 + 150 * place
    # One corner tells left from right and up from down.
    truth[4:8, 4:8] = 900
    save(truth, folder / "truth.nii.gz")
    for name, error in (("tv", 90.0), ("resample", -40.0)):
        # Air is exact: the error is 0 there.
        wrong = (truth > -900) * (error + rng.normal(0, 2, truth.shape))
        save(truth + wrong, folder / f"{name}.nii.gz")
    save(np.full(truth.shape, 35.2), folder / "resample-spread.nii.gz")
    records = [
        {"method": name, "slice": 9 + place, "psnr": 30.0 + place, "ssim": 0.9, "rmse_hu": 40.0}
        | {"residual": 0.001, "doubt": "found too noisy" if (name, place) == ("resample", 4) else None}
        for name in ("tv", "resample")
        for place in range(5)
    ]
    (folder / "metrics.json").write_text(json.dumps(records))
    run = {
        "job": {"methods": ["tv", "resample"], "source": "/scans/ZEBRA_Jane", "out": "/scans/out-ZEBRA"},
        "source": {"name": "Thorax of ZEBRA"},
        "measurement": {"views": 25, "noise": "gaussian:0.01 (simulated)"},
        "versions": {"resample-ct": "0"},
    }
    (folder / "run.json").write_text(json.dumps(run))
