"""The plugin in a real Orthanc: by a rule, by a request and by a button; told, limited and killed."""

from __future__ import annotations

import json
import os
import signal

import pydicom
import pytest
from browser import chromium
from peers import wait_for
from pydicom.uid import generate_uid

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pacs(pacs_with_plugin, tmp_path_factory):
    """A server whose rule takes the sample series, and series of at most 5 instances."""
    server = pacs_with_plugin(
        tmp_path_factory.mktemp("plugin") / "pacs",
        Rule={"Modality": "CT", "SeriesDescription": "Thorax.*"},
        MaxInstances=5,
    )
    yield server
    server.stop()


@pytest.fixture(scope="module")
def slices(sample_series):
    return sorted(sample_series.glob("*.dcm"))[:3]


@pytest.fixture
def other_series(slices, tmp_path):
    """Uploads slices of the sample as a series that the rule does not take; returns Orthanc's ID."""

    def upload(server, names):
        uid = generate_uid()
        for number, name in enumerate(names):
            dataset = pydicom.dcmread(slices[0].parent / name)
            dataset.SeriesInstanceUID, dataset.SOPInstanceUID = uid, generate_uid()
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.SeriesDescription, dataset.InstanceNumber = "Other", number + 1
            dataset.save_as(tmp_path / name)
            server.upload([tmp_path / name])
        return series_of(server, uid)["ID"]

    return upload


def series_of(server, uid):
    (found,) = [
        s for s in server.get("/series?expand").json() if s["MainDicomTags"]["SeriesInstanceUID"] == uid
    ]
    return found


def jobs(server):
    return [job for job in server.get("/jobs?expand").json() if job["Type"] == "ResampleCT"]


def reconstruct(server, series):
    answer = server.post(f"/series/{series}/resample-ct")
    assert answer.ok, answer.text
    return answer.json()["ID"]


def ended(server, name):
    """The job of a name when it has ended."""

    def job():
        found = server.get(f"/jobs/{name}").json()
        return found if found["State"] in ("Success", "Failure") else None

    return wait_for(job, 120)


def derived(server):
    """CT series that were made here."""
    tags = {s["ID"]: s["MainDicomTags"] for s in server.get("/series?expand").json()}
    return [
        name
        for name, tag in tags.items()
        if "FBP" in tag.get("SeriesDescription", "") and tag["Modality"] == "CT"
    ]


def test_a_series_that_matches_the_rule_comes_back_in_its_study_once(pacs, slices):
    pacs.upload(slices)
    (job,) = wait_for(lambda: jobs(pacs))
    job = ended(pacs, job["ID"])
    assert (job["State"], job["Progress"], job["ErrorCode"]) == ("Success", 100, 0), job
    (name,) = derived(pacs)
    series = pacs.get(f"/series/{name}").json()
    assert name in job["Content"]["Results"] and len(series["Instances"]) == 3
    assert "(research)" in series["MainDicomTags"]["SeriesDescription"]
    assert len(pacs.get("/studies").json()) == len(pacs.get("/patients").json()) == 1

    # What was derived becomes stable as well, and is not reconstructed again.
    wait_for(lambda: all(s["IsStable"] for s in pacs.get("/series?expand").json()))
    assert [j["ID"] for j in jobs(pacs)] == [job["ID"]]
    assert job["ID"] in pacs.get("/jobs").json()


def test_what_the_command_refuses_is_told_and_can_be_tried_again(pacs, other_series):
    name = reconstruct(pacs, other_series(pacs, ["1-01.dcm", "1-02.dcm", "1-02.dcm"]))
    job = ended(pacs, name)
    assert (job["State"], job["ErrorCode"]) == ("Failure", 10), job
    assert "position" in job["ErrorDetails"] and "\n" not in job["ErrorDetails"]

    assert pacs.post(f"/jobs/{name}/resubmit").ok
    assert pacs.get(f"/jobs/{name}").json()["State"] in ("Pending", "Running")
    assert pacs.post(f"/jobs/{name}/cancel").ok
    job = ended(pacs, name)
    assert (job["State"], job["ErrorCode"], job["ErrorDetails"]) == ("Failure", 37, "cancelled")


def test_a_limit_is_told(pacs, other_series):
    name = reconstruct(pacs, other_series(pacs, [f"1-0{i}.dcm" for i in range(1, 7)]))
    job = pacs.get(f"/jobs/{name}").json()
    assert job["State"] == "Failure"
    assert "6 instances, expected at most 5" in job["ErrorDetails"]


def test_what_is_not_there_is_said(pacs):
    assert pacs.post("/series/none/resample-ct").status_code == 404
    assert pacs.get("/jobs/resample-ct-99").status_code == 404
    assert pacs.get("/series/none/resample-ct").status_code == 405


def test_a_button_of_orthanc_explorer_starts_a_job(pacs, other_series, tmp_path):
    series = other_series(pacs, ["1-01.dcm"])
    with chromium(tmp_path / "chromium") as browser:
        browser.get(f"{pacs.root}/app/explorer.html#series?uuid={series}")
        button = wait_for(lambda: browser.find_elements("id", "resample-ct"))[0]
        wait_for(button.is_displayed)
        browser.execute_script("arguments[0].click()", button)
        wait_for(lambda: "#job?uuid=resample-ct-" in browser.current_url)
        wait_for(lambda: "ReSample-CT reconstruction" in browser.page_source)
        name = browser.current_url.partition("uuid=")[2]
    assert pacs.get(f"/jobs/{name}").json()["Content"]["ParentResources"] == [series]
    pacs.post(f"/jobs/{name}/cancel")


def command_of(folder, other_than=None):
    """Process of the command that runs for the first job."""
    record = folder / "resample-ct" / "jobs" / "1" / "pid"

    def pid():
        found = record.read_text() if record.exists() else ""
        return int(found) if found and int(found) != other_than else None

    return wait_for(pid)


def test_a_command_outlives_its_pacs_and_the_next_one_takes_its_result(
    pacs_with_plugin, slices, tmp_path
):
    folder = tmp_path / "pacs"
    server = pacs_with_plugin(folder)
    server.upload(slices)
    name = reconstruct(server, server.get("/series").json()[0])
    command = command_of(folder)
    server.kill()
    server = pacs_with_plugin(folder)
    job = ended(server, name)
    assert job["State"] == "Success" and command_of(folder) == command
    assert len(derived(server)) == len(jobs(server)) == 1
    server.stop()


def test_a_command_that_is_killed_is_run_again_also_by_the_next_pacs(pacs_with_plugin, slices, tmp_path):
    folder = tmp_path / "pacs"
    server = pacs_with_plugin(folder)
    server.upload(slices)
    name = reconstruct(server, server.get("/series").json()[0])
    first = command_of(folder)
    os.kill(first, signal.SIGKILL)
    second = command_of(folder, first)
    server.kill()
    os.kill(second, signal.SIGKILL)
    server = pacs_with_plugin(folder)
    job = ended(server, name)
    assert (job["State"], job["Content"]["Crashes"]) == ("Success", 1), job
    assert len(derived(server)) == len(jobs(server)) == 1
    server.stop()


def test_a_series_that_was_not_stable_when_the_pacs_was_killed_is_taken(
    pacs_with_plugin, slices, tmp_path
):
    folder, settings = tmp_path / "pacs", {"Rule": {"Modality": "CT"}, "stable_age": 3600}
    server = pacs_with_plugin(folder, **settings)
    server.upload(slices[:1])
    server.kill()
    server = pacs_with_plugin(folder, **settings)
    assert len(wait_for(lambda: jobs(server))) == 1
    # What is stopped in order is kept, too.
    server.stop()
    kept = json.loads((folder / "resample-ct" / "jobs" / "1" / "job.json").read_text())
    assert kept["state"] in ("Running", "Success")
