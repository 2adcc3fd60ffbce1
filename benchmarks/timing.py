"""Time that can be compared on a machine that also does other things."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import torch


def medians(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each call: one of each a round, after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if number:
                seconds[name].append(time.perf_counter() - began)
    return {name: median(values) for name, values in seconds.items()}


class Clock:
    """Seconds by what was at work, each second counted once: of nested parts the innermost has it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[tuple[str, float]] = []

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        """Count what runs inside for `name`."""
        self.start(name)
        try:
            yield
        finally:
            self.stop()

    def start(self, name: str) -> None:
        """Begin a part; the one around it waits."""
        now = time.perf_counter()
        if self._open:
            self._count(now)
        self._open.append((name, now))

    def stop(self) -> None:
        """End the innermost part; the one around it goes on."""
        now = time.perf_counter()
        self._count(now)
        self._open.pop()
        if self._open:
            self._open[-1] = (self._open[-1][0], now)

    def _count(self, now: float) -> None:
        name, since = self._open[-1]
        self.seconds[name] = self.seconds.get(name, 0.0) + now - since


def machine() -> str:
    """One line: processor, cores, load and versions."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    packages = ", ".join(f"{name} {_version(name)}" for name in ("torch", "scipy", "numpy"))
    peers = ", ".join(f"{name} {_version(name)}" for name in ("astra-toolbox", "scikit-image", "deepinv"))
    load = os.getloadavg()[0]
    return (
        f"{model}, {os.cpu_count()} cores, {torch.get_num_threads()} torch threads, load {load:.1f}; "
        f"Python {platform.python_version()}, {packages}; {peers}"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
