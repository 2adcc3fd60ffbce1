"""Answers C-ECHO and C-STORE; Success only once an instance is on disk and in the queue."""

from __future__ import annotations

import hashlib
import sqlite3
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any, cast
from weakref import WeakKeyDictionary

import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import write_file_meta_info
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    AllTransferSyntaxes,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from resample_ct.io.derivation import MANUFACTURER, MODEL
from resample_ct.io.dicom_checks import ENHANCED_CT
from resample_ct.node.folder import StateFolder, is_uid
from resample_ct.node.log import LOGGER, printable
from resample_ct.node.queue import Queue
from resample_ct.node.server import NodeServer
from resample_ct.node.settings import NodeSettings

SUCCESS = 0x0000
NOT_AUTHORISED = 0x0124
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

_UNCOMPRESSED = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
)
_NEEDED = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "Manufacturer",
    "ManufacturerModelName",
    "ContributingEquipmentSequence",
    "PatientID",
)


def transfer_syntaxes() -> list[UID]:
    """Uncompressed ones, and the compressed ones that an installed codec decodes."""
    found = list(_UNCOMPRESSED)
    for syntax in AllTransferSyntaxes:
        try:
            if syntax.is_compressed and get_decoder(syntax).is_available:
                found.append(syntax)
        except NotImplementedError:
            continue
    return found


def is_derived_here(header: Dataset) -> bool:
    """Whether any resample-ct made an instance, or had a part in it."""
    makers = [header, *(header.get("ContributingEquipmentSequence") or [])]
    return any(
        maker.get("Manufacturer") == MANUFACTURER and maker.get("ManufacturerModelName") == MODEL
        for maker in makers
    )


class _RefusedError(Exception):
    """Why an instance is not taken."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Receiver:
    """The listening side of a node."""

    def __init__(self, settings: NodeSettings, folder: StateFolder, queue: Queue) -> None:
        self._settings = settings
        self._folder = folder
        self._queue = queue
        self._limits = settings.limits
        # Bytes that each association sent and no C-STORE has used up yet.
        self._pending: WeakKeyDictionary[Association, int] = WeakKeyDictionary()
        self._pending_lock = Lock()
        self._server: NodeServer | None = None

    def start(self) -> int:
        """Listen in a thread of its own. Returns the port. Raises OSError where it is taken."""
        entity = AE(self._settings.aet)
        entity.add_supported_context(Verification)
        for kind in (CTImageStorage, *ENHANCED_CT):
            entity.add_supported_context(kind, transfer_syntaxes())
        entity.require_called_aet = True
        entity.require_calling_aet = list(self._settings.allow)
        entity.maximum_associations = self._limits.associations
        entity.maximum_pdu_size = self._limits.pdu_bytes
        entity.network_timeout = self._limits.timeout_seconds
        entity.acse_timeout = self._limits.timeout_seconds
        entity.dimse_timeout = self._limits.timeout_seconds
        handlers: list[Any] = [
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_DATA_RECV, self._count),
            (evt.EVT_ESTABLISHED, self._established),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_ABORTED, self._aborted),
            (evt.EVT_CONN_CLOSE, self._closed),
        ]
        tls = self._settings.tls
        server = entity.make_server(
            (self._settings.bind, self._settings.port),
            ssl_context=None if tls is None else tls.server_context(),
            evt_handlers=handlers,
            server_class=NodeServer,
        )
        assert isinstance(server, NodeServer)
        server.start()
        self._server = server
        return int(server.server_address[1])

    def stop(self) -> None:
        """Stop listening and abort open associations; acknowledged instances are kept."""
        if self._server is not None:
            self._server.stop()

    # What pynetdicom calls

    def _echo(self, event: Event) -> int:
        return SUCCESS

    def _store(self, event: Event) -> Dataset:
        answer = Dataset()
        request = cast(C_STORE, event.request)
        content = request.DataSet.getbuffer() if isinstance(request.DataSet, BytesIO) else memoryview(b"")
        size = len(content)
        try:
            self._keep(request, event.file_meta, content)
            answer.Status = SUCCESS
        except _RefusedError as refusal:
            answer.Status, answer.ErrorComment = refusal.status, str(refusal)
        except (OSError, sqlite3.Error) as error:
            answer.Status, answer.ErrorComment = OUT_OF_RESOURCES, "cannot be written"
            LOGGER.error("cannot write what was received: %s", type(error).__name__)
        if answer.Status != SUCCESS:
            LOGGER.warning(
                "refused an instance from %s with %04X: %s",
                _caller(event),
                answer.Status,
                answer.ErrorComment,
            )
        with self._pending_lock:
            # What wraps the data set takes little: 12 bytes a PDU, and the command.
            left = self._pending.get(event.assoc, 0) - int(1.02 * size) - 4096
            self._pending[event.assoc] = max(0, left)
        return answer

    def _count(self, event: Event) -> None:
        with self._pending_lock:
            pending = self._pending.get(event.assoc, 0) + len(event.data)
            self._pending[event.assoc] = pending
        if pending > 1.02 * self._limits.instance_bytes + self._limits.pdu_bytes + 4096:
            LOGGER.warning("cut off %s: an instance longer than allowed", _caller(event))
            event.assoc.abort(block=False)

    def _established(self, event: Event) -> None:
        LOGGER.info("association with %s", _caller(event))

    def _rejected(self, event: Event) -> None:
        LOGGER.warning("association with %s refused", _caller(event))

    def _aborted(self, event: Event) -> None:
        LOGGER.warning("association with %s aborted", _caller(event))

    def _closed(self, event: Event) -> None:
        if event.assoc.requestor.primitive is None:
            LOGGER.warning("%s connected and asked for nothing", event.assoc.requestor.address)

    # Keeping an instance

    def _keep(self, request: C_STORE, meta: FileMetaDataset, content: memoryview) -> None:
        size = len(content)
        if size == 0:
            raise _RefusedError(CANNOT_UNDERSTAND, "no data set")
        if size > self._limits.instance_bytes:
            raise _RefusedError(OUT_OF_RESOURCES, "instance longer than allowed")
        if self._folder.free_bytes() - size < self._limits.free_bytes:
            raise _RefusedError(OUT_OF_RESOURCES, "disk full")
        arrived = self._folder.new_file()
        try:
            with arrived.open("xb") as file:
                file.write(b"\0" * 128 + b"DICM")
                write_file_meta_info(file, meta)  # type: ignore[arg-type]
                file.write(content)
            digest = hashlib.sha256(content).hexdigest()
            self._take(request, arrived, digest)
        finally:
            arrived.unlink(missing_ok=True)

    def _take(self, request: C_STORE, arrived: Path, digest: str) -> None:
        header = _read(arrived)
        sop_uid, series_uid = str(header.SOPInstanceUID), str(header.SeriesInstanceUID)
        asked = (request.AffectedSOPClassUID, request.AffectedSOPInstanceUID)
        if (header.SOPClassUID, sop_uid) != asked:
            raise _RefusedError(DOES_NOT_MATCH, "data set is not the instance that the request names")
        if is_derived_here(header) or self._queue.is_result(sop_uid):
            raise _RefusedError(NOT_AUTHORISED, "derived by resample-ct, not reconstructed again")
        if self._queue.holds(sop_uid, digest):
            self._queue.repeated(series_uid)
            return
        if self._queue.count(series_uid) >= self._limits.series_instances:
            raise _RefusedError(OUT_OF_RESOURCES, "series has more instances than allowed")
        path = self._folder.keep(arrived, series_uid, sop_uid)
        self._queue.add(sop_uid, series_uid, path, digest)
        if self._settings.log_identity:
            patient = header.get("PatientID")
            LOGGER.info("received %s of series %s, patient %s", sop_uid, series_uid, patient)


def _read(path: Path) -> Dataset:
    """What decides about an instance. Raises _RefusedError for a header without it."""
    try:
        with disable_value_validation():
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_NEEDED))
            named = [str(header.get(keyword, "")) for keyword in _NEEDED[:3]]
    except Exception as error:  # pydicom raises whatever a damaged file leads it to
        raise _RefusedError(
            CANNOT_UNDERSTAND, f"data set cannot be read ({type(error).__name__})"
        ) from None
    if not all(is_uid(uid) for uid in named):
        raise _RefusedError(CANNOT_UNDERSTAND, "SOP class, SOP instance or series UID missing or no UID")
    return header


def _caller(event: Event) -> str:
    requestor = event.assoc.requestor
    return printable(f"{requestor.ae_title or 'a peer'} at {requestor.address}")
