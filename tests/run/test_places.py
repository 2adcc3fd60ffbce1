"""A run's DICOM and NIfTI agree at every slice; no slice is made up, however the slices lie."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from resample_ct.io.read import read_study
from resample_ct.physics.backends import make_projector
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sinogram_file import Sinogram, write_sinogram
from resample_ct.run import pipeline
from resample_ct.run.job import Job
from resample_ct.values.units import Window
from resample_ct.values.volume import Grid

SIZE = 64
# Of a slice at height z mm, in the middle of its disc.
HU_PER_MM, HU_AT_0 = -12.5, 300.0


@pytest.fixture
def measured(tmp_path):
    """Discs whose HU tells their height, at these heights in this order, as a sinogram file."""

    def make(heights):
        geometry = ParallelBeam.uniform(SIZE, 60)
        radius = np.hypot(*(np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2))
        hu = np.where(radius < 20, HU_AT_0 + HU_PER_MM * np.array(heights)[:, None, None], -1000.0)
        window = Window()
        image = torch.from_numpy(window.from_hu(hu)).float()[:, None]
        corner = -(SIZE - 1) / 2
        positions = np.array([[corner, corner, height] for height in heights], float)
        sinogram = Sinogram(
            data=make_projector(geometry, "cpu")(image)[:, 0].numpy(),
            geometry=geometry,
            grid=Grid(positions, np.eye(3)[0], np.eye(3)[1], (1.0, 1.0), SIZE, SIZE, 8.0),
            window=window,
            noise="none",
            noise_sigma=np.full(len(heights), 0.01),
            source="discs",
        )
        path = tmp_path / "discs.h5"
        write_sinogram(sinogram, path)
        return Job(path, tmp_path / "out", methods=("fbp",), batch=2)

    return make


def middles(hu, grid):
    """Height along z and mean HU of the disc's middle, slice by slice."""
    half = hu.shape[1] // 2
    found = [float(image[half - 8 : half + 8, half - 8 : half + 8].mean()) for image in hu]
    return dict(zip(grid.positions[:, 2].round(3).tolist(), found, strict=True))


def nifti_middles(files):
    studies = [read_study(file) for file in files]
    return {z: hu for study in studies for z, hu in middles(study.volume.hu, study.grid).items()}


@pytest.mark.parametrize(
    ("heights", "files"),
    [
        ([24, 16, 10, 0], ["fbp-slices-0.nii.gz", "fbp-slices-1-2.nii.gz", "fbp-slices-3.nii.gz"]),
        ([0, 10, 16, 24], ["fbp-slices-0.nii.gz", "fbp-slices-1-2.nii.gz", "fbp-slices-3.nii.gz"]),
        ([24, 16, 8, 0], ["fbp.nii.gz"]),
        ([16, 0, 24, 8], ["fbp.nii.gz"]),
        ([12], ["fbp.nii.gz"]),
    ],
)
def test_every_voxel_of_a_sinogram_file_is_at_its_place(measured, heights, files):
    job = measured(heights)
    notes = pipeline.reconstruct(job, resume=False)
    assert sorted(path.name for path in job.out.glob("*.nii.gz")) == files
    assert any("evenly spaced runs are a file each" in note for note in notes) == (len(files) > 1)
    in_nifti = nifti_middles(job.out.glob("*.nii.gz"))
    derived = read_study(job.out / "dicom" / "fbp")
    in_dicom = middles(derived.volume.hu, derived.grid)
    assert sorted(in_nifti) == sorted(in_dicom) == sorted(heights)
    for height in heights:
        # FBP of a disc from 60 views is off by some HU in its middle; the slices differ by 75 and more.
        assert in_nifti[height] == pytest.approx(HU_AT_0 + HU_PER_MM * height, abs=15)
        assert in_dicom[height] == pytest.approx(in_nifti[height], abs=0.5)


def test_a_gap_in_the_chosen_slices_stays_a_gap(sample_series, tmp_path):
    job = Job(sample_series, tmp_path / "out", methods=("fbp",), slices="0,1,29")
    notes = pipeline.reconstruct(job, resume=False)
    files = sorted(job.out.glob("fbp*.nii.gz"))
    assert [file.name for file in files] == ["fbp-slices-0-1.nii.gz", "fbp-slices-29.nii.gz"]
    truth = sorted(job.out.glob("truth*.nii.gz"))
    assert [file.name for file in truth] == ["truth-slices-0-1.nii.gz", "truth-slices-29.nii.gz"]
    for one, other in zip(files, truth, strict=True):
        np.testing.assert_array_equal(nib.load(one).affine, nib.load(other).affine)
    assert [nib.load(file).shape for file in files] == [(256, 256, 2), (256, 256, 1)]
    # The lone slice is as thick as its neighbours in the series are apart.
    assert [nib.load(file).header.get_zooms()[2] for file in files] == [8, 8]
    assert any("2 evenly spaced runs" in note for note in notes)
    assert json.loads((job.out / "run.json").read_text())["notes"] == notes
    derived = read_study(job.out / "dicom" / "fbp")
    parts = [read_study(file) for file in files]
    np.testing.assert_allclose(
        np.concatenate([part.grid.positions for part in parts]), derived.grid.positions, atol=1e-4
    )
    hu = np.concatenate([part.volume.hu for part in parts])
    assert np.abs(hu - derived.volume.hu).max() <= 0.5
    assert {header.SliceThickness for header in derived.headers} == {8.0}
