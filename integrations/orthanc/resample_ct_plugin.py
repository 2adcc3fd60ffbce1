# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc's Python plugin for ReSample-CT: a series in, its derived series in the same study.

    POST /series/{id}/resample-ct          reconstruct; answers with the job, as Orthanc does
    GET /jobs, /jobs/{id}                  Orthanc's jobs and ours beside each other
    POST /jobs/{id}/cancel, .../resubmit   for ours as for Orthanc's

Settings are in Orthanc's configuration under `ResampleCT`; README.md lists them.
"""

from __future__ import annotations

import datetime
import json
import re
import sys
from pathlib import Path
from typing import Any

import orthanc
from reconstruction_queue import CANCELLED, Job, Limits, Queue
from reconstruction_worker import Worker, progress

_DEFAULTS: dict[str, Any] = {
    "Command": "resample-ct",
    "Options": ["--method", "resample", "--preset", "fast"],
    "Folder": None,
    "Rule": None,
    "MaxInstances": 5000,
    "MaxQueue": 1000,
    "MinFreeMb": 1024,
}
_MAKER = ("ReSample-CT", "resample-ct")
_ENDED_LISTED = 50
# Orthanc's own numbers of errors.
_SYSTEM_COMMAND, _CANCELLED_JOB = 10, 37
_BUTTON = """
$('#series').live('pagebeforecreate', function() {
  var button = $('<a>').attr({id: 'resample-ct', href: '#', 'data-role': 'button', 'data-icon': 'gear',
                              'data-theme': 'e'}).text('Reconstruct with ReSample-CT (research)');
  button.insertBefore($('#series-delete').parent().parent());
  button.click(function() {
    if ($.mobile.pageData) {
      $.ajax({
        url: '../series/' + $.mobile.pageData.uuid + '/resample-ct', type: 'POST', dataType: 'json',
        success: function(job) { window.location.assign('explorer.html#job?uuid=' + job.ID); },
        error: function(answer) { alert(answer.responseText); }
      });
    }
  });
});
"""


def settings() -> dict[str, Any]:
    """The configuration's `ResampleCT`. Raises ValueError for one that cannot be used."""
    given = json.loads(orthanc.GetConfiguration()).get("ResampleCT", {})
    unknown = sorted(given.keys() - _DEFAULTS.keys())
    if unknown:
        raise ValueError(f"ResampleCT.{unknown[0]}: unknown, expected one of {', '.join(_DEFAULTS)}")
    if "Folder" not in given:
        raise ValueError("ResampleCT.Folder: missing, expected a folder for jobs and their files")
    return {**_DEFAULTS, **given}


def get(uri: str) -> Any:
    """What Orthanc itself answers."""
    return json.loads(orthanc.RestApiGet(uri))


class Store:
    """Orthanc as source and destination."""

    def dicom(self, instance: str) -> bytes:
        """The file of an instance."""
        return bytes(orthanc.GetDicomForInstance(instance))

    def store(self, content: bytes) -> str:
        """Keep an instance, which may be there already, and return its series."""
        answer = json.loads(orthanc.RestApiPost("/instances", content))
        if answer["Status"] not in ("Success", "AlreadyStored"):
            raise ValueError(f"Orthanc did not store an instance of the result: {answer['Status']}")
        return str(answer["ParentSeries"])


def instances_of(series: str) -> list[str]:
    """What a series consists of; nothing where there is no such series."""
    try:
        return list(get(f"/series/{series}")["Instances"])
    except orthanc.OrthancException:
        return []


def matches(series: str, rule: dict[str, str]) -> bool:
    """Whether a rule wants a series, by its first instance's tags; never one that was derived here."""
    instances = instances_of(series)
    if not instances:
        return False
    tags = get(f"/instances/{instances[0]}/simplified-tags")
    makers = [tags, *(tags.get("ContributingEquipmentSequence") or [])]
    if any((m.get("Manufacturer"), m.get("ManufacturerModelName")) == _MAKER for m in makers):
        return False
    return all(re.fullmatch(wanted, str(tags.get(tag, ""))) for tag, wanted in rule.items())


def moment(seconds: float) -> str:
    """A time as Orthanc writes it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y%m%dT%H%M%S.%f")


def as_orthanc(job: Job) -> dict[str, Any]:
    """A job in the form of Orthanc's own."""
    failed = {CANCELLED: (_CANCELLED_JOB, "This job was canceled")}.get(
        job.error, (_SYSTEM_COMMAND, "Error while calling a system command")
    )
    code, description = failed if job.state == "Failure" else (0, "Success")
    now = datetime.datetime.now().timestamp()
    ran = 0.0 if job.started is None else (job.ended or now) - job.started
    answer = {
        "ID": f"resample-ct-{job.number}",
        "Type": "ResampleCT",
        "State": job.state,
        "Progress": progress(job, QUEUE.path(job)),
        "Priority": 0,
        "ErrorCode": code,
        "ErrorDescription": description,
        "ErrorDetails": job.error,
        "CreationTime": moment(job.created),
        "Timestamp": moment(now),
        "EffectiveRuntime": round(ran, 3),
        "Content": {
            "Description": "ReSample-CT reconstruction, for research only",
            "ParentResources": [job.series],
            "InstancesCount": len(job.instances),
            "Crashes": job.crashes,
            "Results": job.results,
            "ErrorDetails": job.error,
        },
    }
    return answer if job.ended is None else answer | {"CompletionTime": moment(job.ended)}


def answer(output: Any, content: Any) -> None:
    """JSON, as Orthanc writes it."""
    output.AnswerBuffer(json.dumps(content, indent=3), "application/json")


def only(method: str, output: Any, request: dict[str, Any]) -> bool:
    """Whether a request has the method that there is; else it is told so."""
    if request["method"] != method:
        output.SendMethodNotAllowed(method)
    return bool(request["method"] == method)


def on_series(output: Any, uri: str, **request: Any) -> None:
    """`POST /series/{id}/resample-ct`."""
    (series,) = request["groups"]
    if not only("POST", output, request):
        return
    if not instances_of(series):
        output.SendHttpStatusCode(404)
        return
    job = as_orthanc(QUEUE.ask(series))
    answer(output, {"ID": job["ID"], "Path": f"/jobs/{job['ID']}"})


def on_jobs(output: Any, uri: str, **request: Any) -> None:
    """`GET /jobs`, with `?expand` in whole."""
    if not only("GET", output, request):
        return
    expand = "expand" in request["get"]
    ended = [job for job in QUEUE.jobs if job.ended is not None]
    old = {job.number for job in ended[:-_ENDED_LISTED]}
    ours = [as_orthanc(job) for job in QUEUE.jobs if job.number not in old]
    theirs = get("/jobs?expand" if expand else "/jobs")
    answer(output, [*theirs, *(ours if expand else [job["ID"] for job in ours])])


def on_job(output: Any, uri: str, **request: Any) -> None:
    """`GET /jobs/{id}`, and `POST` to `cancel` and `resubmit`, of a job of ours."""
    number, action = request["groups"]
    if not only("POST" if action else "GET", output, request):
        return
    job = QUEUE.find(int(number))
    if job is None:
        output.SendHttpStatusCode(404)
    elif not action:
        answer(output, as_orthanc(job))
    else:
        {"/cancel": QUEUE.cancel, "/resubmit": QUEUE.resubmit}[action](job)
        answer(output, {})


def on_change(change: int, level: int, resource: str) -> None:
    """Start and stop with Orthanc; take a stable series that matches the rule."""
    if change == orthanc.ChangeType.ORTHANC_STARTED:
        if SETTINGS["Rule"] is not None:
            take_missed(Path(SETTINGS["Folder"]) / "changes.json")
        WORKER.start()
    elif change == orthanc.ChangeType.ORTHANC_STOPPED:
        WORKER.stop()
    elif change == orthanc.ChangeType.STABLE_SERIES:
        take(resource)


def take(series: str) -> None:
    """Ask for a series that the rule wants, once for the same instances."""
    if SETTINGS["Rule"] is not None and matches(series, SETTINGS["Rule"]):
        QUEUE.ask(series, again=False)


def take_missed(record: Path) -> None:
    """Take the series that came since Orthanc last started, and may not have been stable when it ended.

    At the very first start there are none, so that an archive is not reconstructed whole.
    """
    last = get("/changes?last")["Last"]
    if record.exists():
        since, done = json.loads(record.read_text()), False
        while not done:
            page = get(f"/changes?limit=1000&since={since}")
            for change in page["Changes"]:
                if change["ChangeType"] in ("NewSeries", "StableSeries"):
                    take(change["ID"])
            since, done = page["Last"], page["Done"]
    partial = record.with_suffix(".tmp")
    partial.write_text(json.dumps(last))
    partial.replace(record)


try:
    SETTINGS = settings()
    QUEUE = Queue(
        Path(SETTINGS["Folder"]) / "jobs",
        Limits(SETTINGS["MaxInstances"], SETTINGS["MaxQueue"], SETTINGS["MinFreeMb"] * 2**20),
        instances_of,
    )
except (ValueError, OSError) as error:
    orthanc.LogError(str(error))
    sys.exit(1)
WORKER = Worker(QUEUE, [SETTINGS["Command"], *SETTINGS["Options"]], Store(), orthanc.LogWarning)
orthanc.RegisterRestCallback("/series/([^/]+)/resample-ct", on_series)
orthanc.RegisterRestCallback("/jobs", on_jobs)
orthanc.RegisterRestCallback("/jobs/resample-ct-([0-9]+)(/cancel|/resubmit)?", on_job)
orthanc.RegisterOnChangeCallback(on_change)
orthanc.ExtendOrthancExplorer(_BUTTON)
