"""A running node: its threads, how it starts after a crash, how it stops."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from threading import Event, Thread
from types import FrameType

from resample_ct.errors import OptionError
from resample_ct.node.folder import StateFolder
from resample_ct.node.log import LOGGER
from resample_ct.node.queue import Queue
from resample_ct.node.receiver import Receiver
from resample_ct.node.sender import Sender
from resample_ct.node.settings import NodeSettings
from resample_ct.node.worker import Worker

_POLL_SECONDS = 0.2
_ERROR_WAIT_SECONDS = 5.0
_TIDY_EVERY_SECONDS = 3600.0


def serve(settings: NodeSettings) -> None:
    """Run a node until SIGTERM or SIGINT.

    Raises:
        OptionError: the folder belongs to another node, the port is taken, or TLS files cannot be read.
    """
    stop = Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_to_stop)
    folder = StateFolder(settings.folder)
    with folder.owned():
        queue = Queue(folder.queue)
        try:
            _serve(settings, folder, queue, stop)
        finally:
            queue.close()


def _serve(settings: NodeSettings, folder: StateFolder, queue: Queue, stop: Event) -> None:
    swept = folder.sweep(queue.restart())
    if swept:
        LOGGER.info("deleted %d files that no sender was told were kept", swept)
    receiver = Receiver(settings, folder, queue)
    worker = Worker(settings, folder, queue, stop)
    sender = Sender(settings, queue, stop)
    threads = [
        Thread(target=_repeat, args=(stop, part.step), name=type(part).__name__, daemon=True)
        for part in (worker, sender)
    ]
    try:
        port = receiver.start()
    except OSError as error:
        raise OptionError(
            f"--bind {settings.bind} --port {settings.port}: {error.strerror or error}, expected an "
            "address of this machine and a free port"
        ) from None
    for thread in threads:
        thread.start()
    LOGGER.info("%s listens at %s:%d", settings.aet, settings.bind, port)
    tidied = 0.0
    while not stop.wait(_POLL_SECONDS):
        try:
            for job in queue.queue_quiet(settings.quiet_seconds):
                LOGGER.info("job %d: series is quiet, queued", job.number)
            if time.monotonic() - tidied > _TIDY_EVERY_SECONDS or not tidied:
                tidied = time.monotonic()
                _tidy(folder, queue, settings.keep_days)
        except Exception as error:
            # A full disk, say: what is queued stays queued, and what is received is refused.
            LOGGER.error("queue: %s; tried again", type(error).__name__)
            stop.wait(_ERROR_WAIT_SECONDS)
    LOGGER.info("stopping")
    receiver.stop()
    for thread in threads:
        thread.join(timeout=settings.limits.timeout_seconds)
    LOGGER.info("stopped")


def _repeat(stop: Event, step: Callable[[], bool]) -> None:
    """Call `step` until the stop, whatever happens in it."""
    while not stop.is_set():
        try:
            if not step():
                stop.wait(_POLL_SECONDS)
        except Exception as error:
            LOGGER.exception("%s: %s; tried again", step.__qualname__, type(error).__name__)
            stop.wait(_ERROR_WAIT_SECONDS)


def _tidy(folder: StateFolder, queue: Queue, keep_days: float) -> None:
    jobs, files = queue.forget(time.time() - keep_days * 86400)
    for number in jobs:
        shutil.rmtree(folder.job(number), ignore_errors=True)
    for file in files:
        file.unlink(missing_ok=True)
    if files:
        LOGGER.info("deleted %d instances of series that ended %g days ago", len(files), keep_days)
