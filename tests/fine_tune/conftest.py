"""Studies made up on disk, the AAPM's as the archive delivers it and local ones; a network to train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from made_up_studies import SIDE, body, write_slice
from pydicom.uid import UID, CTImageStorage, RawDataStorage
from small_slices import shrink_slices
from torch import nn

from fine_tune.observer import Observer
from fine_tune.processes import Processes
from resample_ct.progress import silent


@pytest.fixture
def studies(tmp_path: Path) -> Callable[..., Path]:
    """Writes `slices` slices of each patient, one series each, and returns the root."""

    def make(patients: str, slices: int = 2, root: str = "studies", **attributes: object) -> Path:
        for patient in patients:
            for place in range(slices):
                path = tmp_path / root / patient / f"{place:03d}.dcm"
                hu = body(value=40.0 + place)
                write_slice(path, hu, place, **{"PatientID": patient, **attributes})
        return tmp_path / root

    return make


@pytest.fixture
def nifti_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes (i, j, k) values of 1 mm voxels below the root `volumes` and returns its path."""

    def make(name: str, values: np.ndarray) -> Path:
        path = tmp_path / "volumes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(values, np.diag([-1.0, -1.0, 2.0, 1.0])), path)
        return path

    return make


def _projections(folder: Path, patient: str, description: str, sop_class: UID) -> None:
    for view in range(3):
        path = folder / f"1-{view + 1:05d}.dcm"
        write_slice(
            path,
            np.zeros((736, 64)),
            view,
            PatientID=patient,
            SeriesDescription=description,
            SOPClassUID=sop_class,
            PixelSpacing=None,
            ImagePositionPatient=None,
            ImageOrientationPatient=None,
        )


@pytest.fixture
def aapm_tree(tmp_path: Path) -> Callable[..., Path]:
    """The collection as the archive's retriever writes it, with patients of both releases' names.

    Projections are Raw Data Storage for some patients and CT Image Storage for the others: both must
    be left out.
    """

    def make(patients: tuple[str, ...], slices: int = 3) -> Path:
        root = tmp_path / "manifest-1648648375084"
        collection = root / "LDCT-and-Projection-data"
        for number, patient in enumerate(patients):
            old = number % 2 == 0
            study = "08-21-2018-84608" if old else "12-23-2021-NA-NA-40641"
            full = "Full dose images" if old else "Full Dose Images"
            for name, noise in ((full, 0.0), ("Low Dose Images", 60.0)):
                folder = collection / patient / study / f"1.000000-{name}-{number:05d}"
                rng = np.random.default_rng(number)
                for place in range(slices):
                    hu = np.maximum(body() + noise * rng.standard_normal((SIDE, SIDE)), -1024)
                    path = folder / f"1-{place + 1:03d}.dcm"
                    write_slice(path, hu, place, PatientID=patient, SeriesDescription=name)
            for dose in ("Full", "Low"):
                name = f"{dose} dose projections"
                folder = collection / patient / "08-21-2018-10971" / f"1.000000-{name}-2436{number}"
                _projections(folder, patient, name, RawDataStorage if old else CTImageStorage)
        (collection / "LICENSE").write_text("CC BY 4.0")
        (root / "metadata.csv").write_text("Series UID,Collection\n")
        return root

    return make


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """See `shrink_slices`."""
    shrink_slices(monkeypatch)


@pytest.fixture
def network():
    """Makes the same small network each time."""

    def make():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 1))

    return make


@pytest.fixture
def alone():
    """One process, on the CPU."""
    return Processes(0, 1, torch.device("cpu"))


@pytest.fixture
def unwatched():
    """Nobody watches."""
    return Observer(silent, None)
