"""The node's log: who connected and what became of it, and no patient unless asked for."""

from __future__ import annotations

import logging
import warnings

LOGGER = logging.getLogger("resample_ct.node")

# These speak of bytes and connections; pynetdicom's other loggers may quote what a data set holds.
_OF_THE_WIRE = ("pynetdicom.dul", "pynetdicom.fsm", "pynetdicom.transport", "pynetdicom.acse")


class _Discreet(logging.Formatter):
    """One line a record: never a traceback, whose last line may quote a data set."""

    def __init__(self, identity: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self.identity = identity

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.name.startswith("pynetdicom"):
            if record.name not in _OF_THE_WIRE and not self.identity:
                text = "a message could not be handled"
            text = f"{record.name}: {text}"
        plain = logging.makeLogRecord({**record.__dict__, "exc_info": None, "exc_text": None})
        plain.msg, plain.args = printable(text), None
        return super().format(plain)


def printable(text: str) -> str:
    """What a peer sent, with nothing in it that could forge a line of the log."""
    return "".join(c if c.isprintable() else "?" for c in text)


def start_log(identity: bool) -> None:
    """Send this package's and pynetdicom's records to standard error.

    Args:
        identity: whether patients and UIDs may appear.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_Discreet(identity))
    for name, level in (("resample_ct.node", logging.INFO), ("pynetdicom", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
    if not identity:
        # pydicom's warnings quote the values that they are about.
        warnings.simplefilter("ignore")
