"""Sends derived series on, each instance until the destination has confirmed it.

SOPInstanceUIDs are fixed when the result is written. An instance counts as sent when the destination's
success is in the queue; where a crash comes between the two, it is sent once more under the same UID,
which is the same object to a PACS.
"""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pydicom
from pydicom.uid import UID, CTImageStorage, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from resample_ct.io.dicom_checks import ENHANCED_CT
from resample_ct.node.log import LOGGER
from resample_ct.node.queue import Queue, QueuedJob
from resample_ct.node.settings import NodeSettings

# Without these there is no point; a report or a map that the destination does not take is left out.
_SLICES = (CTImageStorage, *ENHANCED_CT)
_DUPLICATE = 0x0111
_LONGEST_WAIT_SECONDS = 600.0


class _NotNowError(Exception):
    """The destination cannot be reached, or has no room: worth another attempt."""


class _NeverError(Exception):
    """The destination refuses an instance for what it is."""


class Sender:
    """Takes jobs from `reconstructed` to `sent` or `failed`."""

    def __init__(self, settings: NodeSettings, queue: Queue, stop: Event) -> None:
        self._settings = settings
        self._queue = queue
        self._stop = stop
        self._tls = None
        if settings.forward_tls and settings.tls is not None:
            self._tls = (settings.tls.client_context(), settings.forward.host)

    def step(self) -> bool:
        """Send the next result, if there is one. Returns whether there was."""
        job = self._queue.next_to_send()
        if job is None:
            return False
        self._queue.sending(job.number)
        try:
            self._deliver(job)
        except _NotNowError as error:
            wait = min(_LONGEST_WAIT_SECONDS, 5.0 * 2 ** min(job.attempts, 10))
            self._queue.retry(job, str(error), wait)
            LOGGER.warning("job %d: not sent: %s; tried again in %g s", job.number, error, wait)
        except _NeverError as error:
            self._queue.failed(job, str(error))
            LOGGER.error("job %d: not sent: %s", job.number, error)
        return True

    def _deliver(self, job: QueuedJob) -> None:
        unsent = self._queue.unsent(job.number)
        left: set[str] = set()
        if unsent:
            association = self._associate([path for _, path in unsent])
            accepted = {context.abstract_syntax for context in association.accepted_contexts}
            try:
                for sop_uid, path in unsent:
                    if self._stop.is_set():
                        return
                    kind = UID(_kind(path)[0])
                    if kind in accepted:
                        _send(association, path)
                        self._queue.confirmed(sop_uid)
                    elif kind in _SLICES:
                        raise _NeverError(f"{self._settings.forward.aet} accepts no {kind.name}")
                    else:
                        left.add(kind.name)
            finally:
                if association.is_established:
                    association.release()
        note = f"{self._settings.forward.aet} accepts no {', '.join(sorted(left))}" if left else ""
        self._queue.sent(job.number, note)
        LOGGER.info("job %d: sent to %s %s", job.number, self._settings.forward.aet, note)

    def _associate(self, paths: list[Path]) -> Association:
        peer, limits = self._settings.forward, self._settings.limits
        entity = AE(self._settings.aet)
        entity.connection_timeout = limits.timeout_seconds
        entity.acse_timeout = limits.timeout_seconds
        entity.dimse_timeout = limits.timeout_seconds
        entity.network_timeout = limits.timeout_seconds
        for kind, syntax in sorted({_kind(path) for path in paths}):
            entity.add_requested_context(kind, syntax)
            if not UID(syntax).is_compressed:
                # The one syntax that every peer must take; pynetdicom converts.
                entity.add_requested_context(kind, ImplicitVRLittleEndian)
        association = entity.associate(peer.host, peer.port, ae_title=peer.aet, tls_args=self._tls)
        # A peer that takes none of the kinds is no failure when only a report was left to send.
        if association.is_established or association.rejected_contexts:
            return association
        reason = "refused the association" if association.is_rejected else "cannot be reached"
        raise _NotNowError(f"{peer.aet} at {peer.host}:{peer.port} {reason}")


def _kind(path: Path) -> tuple[str, str]:
    meta = pydicom.filereader.read_file_meta_info(path)
    return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)


def _send(association: Association, path: Path) -> None:
    """Send one instance. Raises _NotNowError or _NeverError where the destination has not got it."""
    try:
        answer = association.send_c_store(path)
    except RuntimeError:
        raise _NotNowError("the association ended early") from None
    except ValueError:
        raise _NeverError(
            "the destination takes no such instance: its SOP class was not accepted"
        ) from None
    if "Status" not in answer:
        raise _NotNowError("no answer to C-STORE")
    status = int(answer.Status)
    if status in (0x0000, _DUPLICATE) or 0xB000 <= status <= 0xBFFF:
        return
    if 0xA700 <= status <= 0xA7FF:
        raise _NotNowError(f"C-STORE answered with {status:04X}, out of resources")
    raise _NeverError(f"C-STORE answered with {status:04X}, refused")
