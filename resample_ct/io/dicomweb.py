"""Studies from a DICOMweb server (QIDO-RS, WADO-RS) and results back to it (STOW-RS).

Credentials come from the environment or from netrc, never from a URL, and go to no other host: an
answer that points elsewhere is refused.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pydicom
import requests
from dicomweb_client.web import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from resample_ct.errors import NetworkError, OptionError

PREFIX = "dicomweb+"
TOKEN = "RESAMPLE_CT_DICOMWEB_TOKEN"
USER = "RESAMPLE_CT_DICOMWEB_USER"
PASSWORD = "RESAMPLE_CT_DICOMWEB_PASSWORD"

_UID = r"[0-9.]{1,64}"
_PATH = re.compile(rf"(?P<base>.*?)(/studies/(?P<study>{_UID})(/series/(?P<series>{_UID}))?)?/?")
_TIMEOUT_SECONDS = (20.0, 120.0)
# So many instances are in memory at once when storing.
_BATCH = 8
_ANY_SYNTAX = (("application/dicom", "*"),)


@dataclass(frozen=True)
class DicomwebUrl:
    """A server's base URL and, under it, a study or a series."""

    base: str
    study: str | None
    series: str | None

    def __str__(self) -> str:
        """As the user writes it."""
        study = f"/studies/{self.study}" if self.study else ""
        series = f"/series/{self.series}" if self.series else ""
        return f"{PREFIX}{self.base}{study}{series}"

    @classmethod
    def parse(cls, text: str) -> DicomwebUrl:
        """Read `dicomweb+https://host/root[/studies/UID[/series/UID]]`.

        Raises:
            OptionError: anything else; credentials in the URL (which are not repeated); http to a host
                other than this one.
        """
        try:
            parts = urlsplit(text.removeprefix(PREFIX))
            host = parts.hostname or ""
            port = "" if parts.port is None else f":{parts.port}"
        except ValueError:
            raise OptionError(f"{text}: not a URL, expected {PREFIX}https://host/root") from None
        if "@" in parts.netloc:
            raise OptionError(
                f"{PREFIX}{parts.scheme}://...@{host}: holds credentials, expected none in a URL; put "
                f"them in netrc, or in {USER} and {PASSWORD}, or a token in {TOKEN}"
            )
        match = _PATH.fullmatch(parts.path)
        known = parts.scheme in ("http", "https") and re.fullmatch(r"[\w.-]+", host)
        if not known or match is None or "/studies" in match["base"]:
            raise OptionError(
                f"{text}: not understood, expected {PREFIX}https://host/root/studies/UID, and "
                "/series/UID behind it for one series"
            )
        if parts.query or parts.fragment:
            raise OptionError(f"{text}: holds a query or a fragment, expected neither")
        if parts.scheme == "http" and host != "localhost" and not host.startswith("127."):
            raise OptionError(
                f"{text}: would send patient data in clear text, expected {PREFIX}https; "
                f"{PREFIX}http is for this machine alone"
            )
        base = f"{parts.scheme}://{host}{port}{match['base']}"
        return cls(base, match["study"], match["series"])


def server(text: str) -> DicomwebUrl:
    """The URL of a server's root. Raises OptionError for anything else."""
    url = DicomwebUrl.parse(text)
    if not text.startswith(PREFIX) or url.study is not None:
        raise OptionError(f"--store {text}: expected a server's root, as {PREFIX}https://host/root")
    return url


class _Bearer(requests.auth.AuthBase):
    """A token; as an `auth`, so that netrc does not replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _refuse_redirect(
    response: requests.Response, *arguments: object, **options: object
) -> requests.Response:
    if response.is_redirect:
        response.close()
        raise requests.TooManyRedirects("it points to another address", response=response)
    return response


@contextmanager
def _client(url: DicomwebUrl) -> Iterator[DICOMwebClient]:
    session = requests.Session()
    token, user = os.environ.get(TOKEN), os.environ.get(USER)
    if token:
        session.auth = _Bearer(token)
    elif user:
        session.auth = (user, os.environ.get(PASSWORD, ""))
    client = DICOMwebClient(
        url.base,
        session=session,
        callback=_refuse_redirect,
        timeout=_TIMEOUT_SECONDS,
        permissive_uid=True,
    )
    # One clear error now rather than several silent attempts.
    client.set_http_retry_params(retry=False)
    with session:
        yield client


@contextmanager
def _told(url: DicomwebUrl, what: str) -> Iterator[None]:
    """Turn what a server or a network can do into one line."""
    try:
        yield
    except requests.HTTPError as error:
        assert error.response is not None
        status = error.response.status_code
        remedy = "see the server's log"
        if status in (401, 403):
            remedy = f"put credentials in netrc, or in {USER} and {PASSWORD}, or a token in {TOKEN}"
        elif status == 404:
            remedy = "check the address and the UIDs"
        raise NetworkError(
            f"{url}: {what}: the server answered {status} {error.response.reason}, expected success; "
            f"{remedy}"
        ) from None
    except (requests.JSONDecodeError, ValueError, KeyError, InvalidDicomError) as error:
        raise NetworkError(
            f"{url}: {what}: the answer is not DICOMweb ({_first_line(error)}); check the address"
        ) from None
    except requests.RequestException as error:
        raise NetworkError(
            f"{url}: {what}: {_first_line(error)}; check the address, the server and its certificate"
        ) from None


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


@contextmanager
def fetched(url: DicomwebUrl, series: str | None, folder: Path) -> Iterator[Path]:
    """Fetch one CT series into `folder`, which is deleted in the end.

    Args:
        url: of a study or a series.
        series: SeriesInstanceUID to choose where the URL names none.
        folder: new, or left by an interrupted run.

    Raises:
        NetworkError: no such study or series, several to choose from, or a server that refuses, breaks
            off or sends fewer instances than it says it has.
    """
    if url.study is None:
        raise OptionError(f"{url}: names no study, expected /studies/UID behind the server's root")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        with _client(url) as client:
            chosen, expected = _choose(client, url, url.series or series)
            count = 0
            with _told(url, "retrieving"):
                for dataset in client.iter_series(url.study, chosen, media_types=_ANY_SYNTAX):
                    dataset.save_as(folder / f"{count:06d}.dcm")
                    count += 1
        if count == 0 or (expected is not None and count < expected):
            raise NetworkError(
                f"{url}: retrieving: found {count} instances, expected {expected or 'some'}, as the "
                "server's own search says; try again, or see the server's log"
            )
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _choose(client: DICOMwebClient, url: DicomwebUrl, series: str | None) -> tuple[str, int | None]:
    """SeriesInstanceUID, and the number of its instances where the server tells it."""
    with _told(url, "searching"):
        rows = [
            Dataset.from_json(row)
            for row in client.search_for_series(
                url.study, fields=["SeriesDescription", "NumberOfSeriesRelatedInstances"]
            )
        ]
        found = {str(row["SeriesInstanceUID"].value): row for row in rows}
    if not found:
        raise NetworkError(f"{url}: searching: found no such study; check the UID")
    if series is None:
        candidates = [uid for uid, row in found.items() if row.get("Modality", "CT") == "CT"]
        if len(candidates) != 1:
            listed = "; ".join(
                f"{uid} ({row.get('Modality', 'no modality')}, "
                f"{row.get('SeriesDescription') or 'no description'})"
                for uid, row in found.items()
            )
            raise NetworkError(
                f"{url}: found {len(candidates)} CT series, expected one; choose with --series or "
                f"/series/UID: {listed}"
            )
        series = candidates[0]
    if series not in found:
        raise NetworkError(
            f"{url}: searching: found no series {series} in the study, only {', '.join(found)}; "
            "name one of these"
        )
    number = found[series].get("NumberOfSeriesRelatedInstances")
    return series, None if number is None else int(number)


def store(url: DicomwebUrl, files: Sequence[Path]) -> None:
    """Store instances.

    Args:
        url: of the server's root.
        files: DICOM files.

    Raises:
        NetworkError: the server refuses or breaks off, or does not confirm every instance by its UID.
    """
    with _client(url) as client:
        _store(client, url, files)


def _store(client: DICOMwebClient, url: DicomwebUrl, files: Sequence[Path]) -> None:
    stored = 0
    for first in range(0, len(files), _BATCH):
        datasets = [pydicom.dcmread(path) for path in files[first : first + _BATCH]]
        so_far = f"storing, after {stored} of {len(files)} instances"
        with _told(url, so_far):
            answer = client.store_instances(datasets)
        confirmed = {
            str(item.get("ReferencedSOPInstanceUID"))
            for item in answer.get("ReferencedSOPSequence") or []
        }
        missing = {str(dataset.SOPInstanceUID) for dataset in datasets} - confirmed
        stored += len(datasets) - len(missing)
        if missing:
            failed = answer.get("FailedSOPSequence") or []
            reasons = sorted({f"{int(item.get('FailureReason', 0)):04X}" for item in failed})
            why = f"FailureReason (0008,1197) {', '.join(reasons)}" if reasons else "no reason"
            raise NetworkError(
                f"{url}: storing: the server confirmed {stored} of {first + len(datasets)} instances "
                f"and gave {why}; see the server's log, and send the DICOM files of --out again"
            )
