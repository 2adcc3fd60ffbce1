"""Which patients and slices train, and which validate: drawn once, kept in a file.

By patient, never by slice: 40 and 10 of 50 patients as in the paper, and the same share of any other
number. The file names patients, so it is as confidential as the data.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from fine_tune.left_out import Unusable
from fine_tune.studies import Series
from resample_ct.errors import StudyError

VALIDATION_SHARE = 0.2


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SeriesEntry(_Entry):
    """What a series was when the split was drawn, so that a change is noticed."""

    patient: str
    body_part: str
    slices: int


class Half(_Entry):
    """Patients with their body parts, and the slices drawn: place along the normal, by series key."""

    patients: dict[str, str]
    slices: dict[str, tuple[int, ...]]

    def __len__(self) -> int:
        """Number of slices."""
        return sum(len(indices) for indices in self.slices.values())


class Request(_Entry):
    """What was asked for; another request needs another file."""

    seed: int
    train_slices: int
    validation_slices: int
    held_out: tuple[str, ...] | None


class Split(_Entry):
    """Both halves, all series of their patients, and by key those that could not be used, with why."""

    version: Literal[1] = 1
    request: Request
    roots: tuple[str, ...]
    series: dict[str, SeriesEntry]
    train: Half
    validation: Half
    left_out: dict[str, Unusable] = {}


def _body_parts(series: Sequence[Series]) -> dict[str, str]:
    """Patients in order, each with the body part that most of its slices show."""
    counts: dict[str, Counter[str]] = {}
    for one in series:
        counts.setdefault(one.patient, Counter())[one.body_part] += one.slices
    return {p: max(sorted(c), key=c.__getitem__) for p, c in sorted(counts.items())}


def _choose_validation(parts: Mapping[str, str], rng: np.random.Generator) -> set[str]:
    """A fifth of the patients, at least one; of every body part the same share, as near as can be."""
    wanted = max(1, round(VALIDATION_SHARE * len(parts)))
    strata: dict[str, list[str]] = {}
    for patient, part in sorted(parts.items()):
        strata.setdefault(part, []).append(patient)
    shares = {part: wanted * len(names) / len(parts) for part, names in sorted(strata.items())}
    counts = {part: int(share) for part, share in shares.items()}
    by_remainder = sorted(shares, key=lambda part: counts[part] - shares[part])
    for part in by_remainder[: wanted - sum(counts.values())]:
        counts[part] += 1
    return {str(p) for part, n in counts.items() for p in rng.permutation(strata[part])[:n]}


def _quotas(available: Mapping[str, int], wanted: int) -> dict[str, int]:
    """How many slices of each patient: the same, but what one has too few of the others make up."""
    quotas: dict[str, int] = {}
    left = min(wanted, sum(available.values()))
    by_size = sorted(available, key=lambda patient: (available[patient], patient))
    for place, patient in enumerate(by_size):
        quotas[patient] = min(available[patient], left // (len(by_size) - place))
        left -= quotas[patient]
    return quotas


def _half(
    patients: Mapping[str, str], series: Sequence[Series], wanted: int, rng: np.random.Generator
) -> Half:
    places: dict[str, list[tuple[str, int]]] = {patient: [] for patient in patients}
    for one in series:
        if one.patient in places:
            places[one.patient] += [(one.key, index) for index in range(one.slices)]
    quotas = _quotas({patient: len(found) for patient, found in places.items()}, wanted)
    slices: dict[str, list[int]] = {}
    for patient, found in places.items():
        for place in sorted(rng.permutation(len(found))[: quotas[patient]].tolist()):
            key, index = found[place]
            slices.setdefault(key, []).append(index)
    drawn = {key: tuple(sorted(indices)) for key, indices in sorted(slices.items())}
    return Half(patients=dict(patients), slices=drawn)


def draw_split(series: Sequence[Series], roots: Sequence[Path], request: Request) -> Split:
    """Draw patients, then slices, spread evenly over a half's patients; all where there are fewer.

    Raises:
        StudyError: one patient only, or held-out patients that are not there or leave none to train.
    """
    parts = _body_parts(series)
    if len(parts) < 2:
        raise StudyError(
            f"--data: found one patient only ({next(iter(parts), '')!r}), expected at least two, one to "
            "train and one to validate on; slices without PatientID count as one patient, and so does "
            "a folder of NIfTI files below --data"
        )
    rng = np.random.default_rng(request.seed)
    held = set(request.held_out) if request.held_out is not None else _choose_validation(parts, rng)
    if not held or held - set(parts) or held == set(parts):
        raise StudyError(
            f"--hold-out {', '.join(sorted(held))}: found patients {', '.join(parts)}, "
            "expected at least one of them, and one more to train on"
        )
    train = {p: part for p, part in parts.items() if p not in held}
    validation = {p: part for p, part in parts.items() if p in held}
    return Split(
        request=request,
        roots=tuple(str(root) for root in roots),
        series={
            s.key: SeriesEntry(patient=s.patient, body_part=s.body_part, slices=s.slices) for s in series
        },
        train=_half(train, series, request.train_slices, rng),
        validation=_half(validation, series, request.validation_slices, rng),
    )


def _check_halves(split: Split, path: Path) -> None:
    """Refuse a file that was edited into a leak or out of its own series."""
    remedy = "delete the file to draw anew, or put it right"
    both = sorted(set(split.train.patients) & set(split.validation.patients))
    if both:
        raise StudyError(
            f"{path}: patient {both[0]}: found in train and in validation, expected one half; {remedy}"
        )
    for name, half in (("train", split.train), ("validation", split.validation)):
        for key, indices in half.slices.items():
            entry = split.series.get(key)
            if entry is None or entry.patient not in half.patients:
                owner = "an unknown patient" if entry is None else f"patient {entry.patient}"
                raise StudyError(
                    f"{path}: {name}: found slices of series {key} of {owner}, expected one of this "
                    f"half's patients; {remedy}"
                )
            if len(set(indices)) < len(indices) or not set(indices) <= set(range(entry.slices)):
                raise StudyError(
                    f"{path}: {name}: series {key}: found slice numbers {list(indices)}, expected "
                    f"different ones from 0 to {entry.slices - 1}; {remedy}"
                )


def _check_data(split: Split, series: Sequence[Series], path: Path) -> tuple[str, ...]:
    """Refuse data that is not what the split was drawn from; notes on patients that came later."""
    remedy = f"put the data back, or delete {path} to draw anew"
    found = {one.key: one for one in series}
    patients = {one.patient for one in series}
    known = {**split.train.patients, **split.validation.patients}
    for patient in known:
        if patient not in patients:
            raise StudyError(f"{path}: patient {patient}: not in --data any more; {remedy}")
    for key, entry in split.series.items():
        here = found.get(key)
        if here is None or here.patient != entry.patient or here.slices != entry.slices:
            now = "nothing" if here is None else f"{here.slices} slices of patient {here.patient}"
            raise StudyError(
                f"{path}: series {key}: found {now}, expected {entry.slices} slices of patient "
                f"{entry.patient} as when the split was drawn; {remedy}"
            )
    for one in series:
        if one.patient in known and one.key not in split.series:
            raise StudyError(
                f"{path}: patient {one.patient}: found series {one.key} ({one.name}) that was not there "
                f"when the split was drawn; take it out of --data, or delete {path} to draw anew"
            )
    late = sorted(patients - set(known))
    return (f"not used, for they are not in {path}: patients {', '.join(late)}",) if late else ()


def _lopsided(split: Split) -> tuple[str, ...]:
    train, validation = len(split.train), len(split.validation)
    if train >= validation:
        return ()
    return (
        f"{train} slices to train on and {validation} to validate: the drawn patients hold most slices; "
        "choose others with --hold-out",
    )


def _read(path: Path) -> Split:
    try:
        return Split.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error}), expected a split file") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "content"
        raise StudyError(
            f"{path}: {where}: {first['msg']}, expected a split file of version 1; delete it to draw anew"
        ) from None


def _write(split: Split, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(split.model_dump_json(indent=1) + "\n", encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _draw_usable(
    series: Sequence[Series],
    roots: Sequence[Path],
    request: Request,
    reason_against: Callable[[Series], str | None],
) -> Split:
    """A split of which every series has been looked at; drawn anew without those that cannot be used."""
    left_out: dict[str, Unusable] = {}
    sound: set[str] = set()
    while True:
        usable = {one.key: one for one in series if one.key not in left_out}
        try:
            split = draw_split(list(usable.values()), roots, request)
        except StudyError as error:
            raise StudyError(
                "; ".join([str(error), *(one.reason for one in left_out.values())])
            ) from None
        unseen = [
            key for half in (split.train, split.validation) for key in half.slices if key not in sound
        ]
        if not unseen:
            return split.model_copy(update={"left_out": left_out})
        for key in unseen:
            reason = reason_against(usable[key])
            if reason is None:
                sound.add(key)
            else:
                left_out[key] = Unusable(usable[key].name, reason)


def split_of(
    series: Sequence[Series],
    roots: Sequence[Path],
    path: Path,
    request: Request,
    reason_against: Callable[[Series], str | None],
) -> tuple[Split, tuple[str, ...]]:
    """The split in `path`, or a new one that is written there, and notes.

    Args:
        series: all that were found.
        roots: where.
        path: of the file.
        request: what to draw.
        reason_against: says why a series cannot be used, None where it can; asked of every series of
            which a new split takes slices. What it speaks against is left out, and the file says so.

    Raises:
        StudyError: as `draw_split`; a file drawn for another request; a patient in both halves; data
            that has changed since, by patient or series.
    """
    if not path.exists():
        split = _draw_usable(series, roots, request, reason_against)
        _write(split, path)
        return split, _lopsided(split)
    split = _read(path)
    for name in Request.model_fields:
        asked, held = getattr(request, name), getattr(split.request, name)
        if asked != held:
            raise StudyError(
                f"{path}: {name}: drawn for {held}, asked for {asked}; use the same, or another file"
            )
    _check_halves(split, path)
    usable = [one for one in series if one.key not in split.left_out]
    return split, _lopsided(split) + _check_data(split, usable, path)
