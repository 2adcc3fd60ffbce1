"""How far a command is: a bar on a terminal, a line every half minute where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn
from rich.text import Text

Update = Callable[[float, float, str], None]
Item = TypeVar("Item")
_SECONDS_BETWEEN_LINES = 30.0


def silent(done: float, total: float, label: str) -> None:
    """Report nothing: for library use and tests."""


class Pace:
    """The time that is left, at the pace since the work began.

    Rich's own estimate takes the last half minute, which says nothing of the next method's pace.

    Args:
        clock: seconds, that only rise.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began, self._first, self._done, self._total = clock(), 0.0, 0.0, 0.0

    def update(self, done: float, total: float) -> None:
        """Note how much is done of how much; what is done at the first call was done before."""
        if total != self._total or done < self._done:
            self._began, self._first = self._clock(), done
        self._done, self._total = done, total

    @property
    def seconds(self) -> float:
        """Since the work began."""
        return self._clock() - self._began

    @property
    def seconds_left(self) -> float | None:
        """None before anything is done."""
        done = self._done - self._first
        return None if done <= 0 else self.seconds * (self._total - self._done) / done

    def __str__(self) -> str:
        """Both times, to be read."""
        left = self.seconds_left
        so_far = f"{timedelta(seconds=round(self.seconds))} so far"
        return so_far if left is None else f"{so_far}, about {timedelta(seconds=round(left))} left"


class _Time(ProgressColumn):
    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._pace = pace

    def render(self, task: Task) -> Text:
        return Text(str(self._pace))


@contextmanager
def progress_bar() -> Iterator[Update]:
    """Give a function to call with what is done, what there is in all, and what is at work.

    Nothing is shown before its first call, so that a mistake is told without a bar that never moved.
    """
    console, pace = Console(stderr=True), Pace(time.monotonic)
    if not console.is_terminal:
        yield _lines(console, pace)
        return
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), _Time(pace)
    bar = Progress(*columns, console=console)
    task = bar.add_task("", total=None)

    def update(done: float, total: float, label: str) -> None:
        pace.update(done, total)
        bar.start()
        bar.update(task, completed=done, total=total, description=label)

    try:
        yield update
    finally:
        bar.stop()


def _lines(console: Console, pace: Pace) -> Update:
    """For a job's log or `nohup`: a line at first, and then every half minute."""
    told = float("-inf")

    def update(done: float, total: float, label: str) -> None:
        nonlocal told
        pace.update(done, total)
        now = time.monotonic()
        if now - told >= _SECONDS_BETWEEN_LINES:
            line = f"{label}: {done / max(total, 1):.0%}, {pace}"
            console.print(line, highlight=False, markup=False, soft_wrap=True)
            told = now

    return update


_Tell = Callable[[float], None]
_listener: ContextVar[_Tell | None] = ContextVar("listener", default=None)


@contextmanager
def listening(tell: _Tell) -> Iterator[None]:
    """While the block lasts, `tell` hears which share of the work in it is done, in [0, 1]."""
    token = _listener.set(tell)
    try:
        yield
    finally:
        _listener.reset(token)


def within(update: Update, done: float, size: float, total: float, label: str) -> _Tell:
    """Tell of the share of some work as of so much of all that there is.

    Args:
        update: told.
        done: before that work.
        size: of that work.
        total: of all.
        label: what is at work.
    """
    return lambda share: update(min(done + share * size, total), total, label)


@contextmanager
def part(first: float, last: float) -> Iterator[None]:
    """While the block lasts, the share that is told in it is that of a part of the whole.

    Args:
        first: share of the whole that is done before the block.
        last: and after it.
    """
    tell = _listener.get()
    if tell is None:
        yield
        return
    with listening(lambda share: tell(first + share * (last - first))):
        yield
    tell(last)


def track(items: Collection[Item]) -> Iterator[Item]:
    """Go through a method's steps; who listens hears after each which share of them is done.

    Steps within a step are parts of it.
    """
    tell = _listener.get()
    if tell is None:
        yield from items
        return
    count = len(items)
    for index, item in enumerate(items):

        def of_this_step(share: float, index: int = index) -> None:
            tell((index + share) / count)

        _listener.set(of_this_step)
        try:
            yield item
        finally:
            # A loop that was left by an error is closed later, when others may listen.
            if _listener.get() is of_this_step:
                _listener.set(tell)
        tell((index + 1) / count)
