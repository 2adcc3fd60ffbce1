"""What every training has in common: its data, its output, its watchers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from fine_tune.left_out import outcome
from fine_tune.loop import LoopSettings
from fine_tune.observer import Observer
from fine_tune.processes import Processes
from fine_tune.source import SliceSource
from fine_tune.training_data import Split, prepare, weights
from resample_ct.bundles.card import BundleCard
from resample_ct.progress import Update, silent
from resample_ct.run.work_folder import held, refuse_out
from resample_ct.values.units import Window

# Enough to judge by, few enough to do so often.
_JUDGED = 16
# Statements, and what is known only in the end; the rest of a card says what is trained.
_OF_A_FINISHED_BUNDLE = {
    *("name", "version", "description", "authors", "data_source", "licence"),
    *("training", "spacing_mm", "sha256", "latent_scale"),
}


@dataclass(frozen=True)
class Run:
    """The options of every `fine-tune` command.

    Attributes:
        data: folders of studies.
        out: the new bundle; checkpoints and TensorBoard's files lie beside it in `<out>.training`.
        name: of the bundle; so are the next four.
        version: which of that name.
        authors: who answers for it.
        data_source: what it was trained on, with the data's licence.
        licence: of the weights.
        split: JSON file of who trains and who validates; read if it exists, else written.
        held_out: PatientIDs to validate on; None draws them.
        train_slices: to draw at most.
        validation_slices: to draw at most.
        strict: refuse data of which a series cannot be used, rather than leave it out.
        anatomy: share of the draws that are schematic slices.
        device: of torch.
        loop: how long and how fast.
    """

    data: tuple[Path, ...]
    out: Path
    name: str
    version: str
    authors: str
    data_source: str
    licence: str
    split: Path
    held_out: tuple[str, ...] | None
    train_slices: int
    validation_slices: int
    strict: bool
    anatomy: float
    device: str
    loop: LoopSettings

    @property
    def work(self) -> Path:
        """Where an interrupted run continues from."""
        return self.out.with_name(self.out.name + ".training")

    def statements(self) -> dict[str, Any]:
        """What a bundle states of its origin."""
        return {
            "name": self.name,
            "version": self.version,
            "authors": self.authors,
            "data_source": self.data_source,
            "licence": self.licence,
        }


def came_from(start: BundleCard) -> dict[str, Any]:
    """What a bundle says of the one that its training started from, and that one of the one before it."""
    return start.model_dump(mode="json", include={"name", "version", "sha256", "training"})


@dataclass(frozen=True)
class Opened:
    """A run's data, read and checked.

    Attributes:
        source: of training batches.
        held_out: (N, 1, 256, 256) slices of the validation patients, at most 16, evenly chosen.
        spacing_mm: smallest and largest pixel of the training slices.
        split: who trains and who validates.
        observer: of the training.
    """

    source: SliceSource
    held_out: torch.Tensor
    spacing_mm: tuple[float, float]
    split: Split
    observer: Observer

    def origin(self, card: BundleCard, start: BundleCard | None) -> dict[str, Any]:
        """What a checkpoint must agree on beside its loop: the data, the first weights and the task.

        Args:
            card: of the bundle that is to be written, whose figures are those of the task.
            start: whose weights the training starts from; None is new weights.
        """
        figures = card.model_dump(mode="json", exclude=_OF_A_FINISHED_BUNDLE)
        first = {"starts_from": None if start is None else start.sha256}
        return self._learned_from() | first | figures

    def record(self, run: Run) -> dict[str, Any]:
        """What a bundle says of its training."""
        return self._learned_from() | {"loop": asdict(run.loop)}

    def _learned_from(self) -> dict[str, Any]:
        return {
            "patients": list(self.split.train.patients),
            "held_out": list(self.split.validation.patients),
            "slices": len(self.split.train),
            "anatomy": self.source.anatomy,
        }


@contextmanager
def open_run(
    run: Run, window: Window, processes: Processes, say: Callable[[str], None], progress: Update
) -> Iterator[Opened]:
    """Read a run's slices, and hold its work folder against every other run while the block lasts.

    Nothing is trained on data that does not pass `prepare`'s checks.

    Raises:
        OptionError: the output exists, or another run is at work.
        StudyError: see `prepare`.
    """
    refuse_out(run.out)
    run.split.parent.mkdir(parents=True, exist_ok=True)
    with processes.leader_first():
        data = prepare(
            run.data,
            window,
            run.split,
            run.held_out,
            run.train_slices,
            run.validation_slices,
            run.loop.seed,
            strict=run.strict,
            progress=progress if processes.leads else silent,
        )
    run.work.mkdir(parents=True, exist_ok=True)
    if processes.leads:
        for note in data.notes:
            say(f"note: {note}")
        read = {*data.split.train.slices, *data.split.validation.slices}
        patients = {data.split.series[key].patient for key in read}
        for line in outcome(f"{len(read)} series of {len(patients)} patients", data.unusable):
            say(line)
        say(
            f"{len(data.train)} slices of {len(data.split.train.patients)} patients to train on, "
            f"{len(data.validation)} of {len(data.split.validation.patients)} held out; {run.split}"
        )
    judged = torch.linspace(0, len(data.validation) - 1, min(_JUDGED, len(data.validation))).long()
    spacings = [float(data.train[index]["spacing_mm"]) for index in range(len(data.train))]
    opened = Opened(
        source=SliceSource(data.train, weights(data.train), run.anatomy, window),
        held_out=torch.stack([data.validation[int(index)]["image"] for index in judged]),
        spacing_mm=(min(spacings), max(spacings)),
        split=data.split,
        observer=Observer(
            progress if processes.leads else silent, run.work / "tensorboard" if processes.leads else None
        ),
    )
    with held(run.work) if processes.leads else nullcontext():
        yield opened
