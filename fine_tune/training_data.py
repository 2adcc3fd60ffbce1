"""Studies to MONAI datasets: find, split, read, cache."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.data import CacheDataset, Dataset, PersistentDataset
from monai.transforms import Compose

from fine_tune.left_out import Unusable
from fine_tune.quality import check_values
from fine_tune.slice_reading import LoadSliced, SliceReader, restore
from fine_tune.split import Half, Request, Split, split_of
from fine_tune.studies import Series, find_series
from resample_ct.errors import ResampleCTError, StudyError
from resample_ct.progress import Update, silent
from resample_ct.values.network_grid import IMAGE_SIZE
from resample_ct.values.units import Window

# Two slices of two bytes a pixel: the slice and its neighbour.
_BYTES_PER_ITEM = 4 * IMAGE_SIZE**2
_MOST_REPEATS = 8.0


@dataclass(frozen=True)
class TrainingData:
    """What to train and validate on.

    Each item is a dict: "image" and "next", float32 (1, 256, 256) relative attenuation in [0, 1], the
    slice and the one after it along the normal (itself at the end of its stack); "patient",
    "body_part", "kernel"; "spacing_mm" of these 256 pixels; "thickness_mm" of the slice.

    Attributes:
        train: the slices to train on.
        validation: those of the held-out patients.
        split: patients and slices of both.
        notes: what was left out because it is no axial CT, and what is odd about the split.
        unusable: what should have been trained on and cannot be.
    """

    train: Dataset
    validation: Dataset
    split: Split
    notes: tuple[str, ...]
    unusable: tuple[Unusable, ...]


def _fingerprint(series: Series, window: Window) -> str:
    """Changes with the files and the window, so that a cache on disk never serves another's slices."""
    parts = [series.key, str(window), str(IMAGE_SIZE)]
    for path in series.files:
        status = path.stat()
        parts.append(f"{path} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _items(half: Half, series: Mapping[str, Series], window: Window) -> list[dict[str, Any]]:
    """One dict a slice, series by series, so that each is opened once."""
    items = []
    for key, indices in half.slices.items():
        one = series[key]
        fingerprint = _fingerprint(one, window)
        for index in indices:
            items.append(
                {
                    "image": (key, index),
                    "next": (key, min(index + 1, one.slices - 1)),
                    "patient": one.patient,
                    "body_part": one.body_part,
                    "kernel": one.kernel,
                    "thickness_mm": one.thickness_mm,
                    "fingerprint": fingerprint,
                }
            )
    return items


def _dataset(items: list[dict[str, Any]], reader: SliceReader, cache: Path | None) -> Dataset:
    # `restore` is no MONAI transform, which is where MONAI's datasets stop caching.
    transform = Compose([LoadSliced(("image", "next"), reader), restore])
    try:
        if cache is None:
            return CacheDataset(items, transform, num_workers=1, progress=False, copy_cache=False)
        dataset = PersistentDataset(items, transform, cache)
        for index in range(len(dataset)):
            dataset[index]
        return dataset
    except RuntimeError as error:
        # MONAI wraps what a transform raises; the user wants our one line.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ResampleCTError):
            cause = cause.__cause__
        raise cause or error from None


def prepare(
    roots: Sequence[Path],
    window: Window,
    split_file: Path,
    held_out: Sequence[str] | None = None,
    train_slices: int = 2000,
    validation_slices: int = 300,
    seed: int = 0,
    memory_limit: int = 2 * 2**30,
    strict: bool = False,
    progress: Update = silent,
) -> TrainingData:
    """Find studies, split them by patient, read the slices drawn and check them.

    Args:
        roots: folders of DICOM or NIfTI studies, see `find_series`.
        window: HU that become 0 and 1.
        split_file: read if it exists, written if not.
        held_out: patients to validate on; drawn where None.
        train_slices: to draw, spread evenly over the patients; all where there are fewer.
        validation_slices: the same of the held-out patients.
        seed: of the draw.
        memory_limit: bytes that both datasets may take in memory; beyond it they are kept in
            `<split_file>.cache/`, which can be deleted at any time.
        strict: refuse where anything cannot be used, rather than leave it out.
        progress: called with the series checked, or the slices read, and all there are.

    Raises:
        StudyError: no CT, one patient, a split file that does not fit the data; and if `strict`, slices
            under 64 x 64, damaged or inconsistent series, values that are no HU, nothing but air.
    """
    found = find_series(roots)
    if strict and found.unusable:
        raise found.unusable[0].refusal()
    request = Request(
        seed=seed,
        train_slices=train_slices,
        validation_slices=validation_slices,
        held_out=None if held_out is None else tuple(sorted(set(held_out))),
    )
    checked = 0

    def reason_against(one: Series) -> str | None:
        nonlocal checked
        progress(checked, len(found.series), "checking series")
        checked += 1
        try:
            # Nothing is drawn from it yet: the values of all of its slices are looked at for doubt.
            check_values(one.read(), one.name, ())
        except StudyError as error:
            if strict:
                raise Unusable(one.name, str(error)).refusal() from None
            return str(error)
        return None

    split, split_notes = split_of(found.series, roots, split_file, request, reason_against)
    if strict and split.left_out:
        raise next(iter(split.left_out.values())).refusal()
    series = {one.key: one for one in found.series}
    drawn = {**split.train.slices, **split.validation.slices}
    reader = SliceReader(series, drawn, window, progress)
    count = len(split.train) + len(split.validation)
    fits = count * _BYTES_PER_ITEM <= memory_limit
    cache = None if fits else split_file.with_name(split_file.name + ".cache")
    return TrainingData(
        train=_dataset(_items(split.train, series, window), reader, cache),
        validation=_dataset(_items(split.validation, series, window), reader, cache),
        split=split,
        notes=found.notes + split_notes,
        unusable=(*found.unusable, *split.left_out.values()),
    )


def weights(dataset: Dataset) -> torch.Tensor:
    """How often to draw each item: every patient alike, but no slice over 8 times another's share.

    Slices of a patient that has the most weigh 1, those of a patient that has half as many weigh 2, up
    to 8: more would learn the few slices by heart.

    Returns:
        (N,) float64 in [1, 8], for `torch.utils.data.WeightedRandomSampler`.
    """
    patients = [item["patient"] for item in dataset.data]
    counts = Counter(patients)
    most = max(counts.values())
    return torch.tensor([min(most / counts[p], _MOST_REPEATS) for p in patients], dtype=torch.float64)
