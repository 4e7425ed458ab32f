"""`submit`, `watch`, `jobs`: what they print, and how they end."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from client_jobs import SPEC

from api.commands.exit_codes import ExitCode


@pytest.fixture
def specification(tmp_path):
    path = tmp_path / "job.json"
    path.write_text(json.dumps(SPEC))
    return path


def error_of(result) -> dict:
    assert result.stdout == ""
    return json.loads(result.stderr)["error"]


def test_submit_prints_the_id_alone(run, specification, riskscope_live):
    done = run("submit", specification, "--metadata", "team=a", "--priority", 2)
    assert done.exit_code == 0, done.output
    job = riskscope_live.jobs.get(done.stdout.strip())
    assert (job.document.metadata, job.document.priority) == ({"team": "a"}, 2)
    whole = json.dumps({"spec": SPEC, "metadata": {"team": "b"}, "priority": 7})
    done = run("submit", "-", "--json", input=whole)
    document = json.loads(done.stdout)
    assert (document["status"], document["metadata"], document["priority"]) == ("queued", {"team": "b"}, 7)


def test_same_key_is_the_same_job(run, specification):
    first, second = (run("submit", specification, "--idempotency-key", "mine").stdout for _ in range(2))
    assert first == second


def test_webhook_of_a_submission_is_kept(run, specification, riskscope_live):
    address = "https://hooks.example.org/a"
    whole = json.dumps({"spec": SPEC, "webhook": {"url": address}})
    for done in (run("submit", "-", input=whole), run("submit", specification, "--webhook", address)):
        assert done.exit_code == 0, done.output
        assert riskscope_live.jobs.get(done.stdout.strip()).document.webhook.url == address
    refused = run("submit", "-", input=json.dumps({"spec": SPEC, "web_hook": {"url": address}}))
    assert refused.exit_code == ExitCode.USAGE
    assert "web_hook" in refused.stderr


def test_dry_run_prints_the_plan(run, specification, riskscope_live):
    assert "peak memory bytes" in run("submit", specification, "--dry-run").stdout
    assert json.loads(run("submit", specification, "--dry-run", "--json").stdout)["object"] == "job.plan"
    assert list(riskscope_live.jobs.list()) == []


@pytest.mark.parametrize(
    ("content", "words"), [("{", "not JSON"), ("[1]", "no JSON object"), (None, "No such file or directory")]
)
def test_file_that_is_no_job_is_wrong_usage(run, tmp_path, content, words):
    path = tmp_path / "job.json"
    if content is not None:
        path.write_text(content)
    refused = run("submit", path)
    assert refused.exit_code == ExitCode.USAGE
    assert words in " ".join(refused.stderr.replace("│", "").split())


def test_refusal_names_the_field(run):
    refused = run("submit", "-", input=json.dumps(SPEC | {"seed": "x"}))
    assert refused.exit_code == ExitCode.REFUSED
    assert "/spec/seed" in refused.stderr
    refused = run("submit", "-", "--json", input=json.dumps(SPEC | {"seed": "x"}))
    assert refused.exit_code == ExitCode.REFUSED
    error = error_of(refused)
    assert (error["status"], error["exit_code"]) == (422, 3)
    assert error["problem"]["errors"][0]["pointer"] == "/spec/seed"


def test_waiting_ends_as_the_job_does(run, riskscope_live, in_background, finish_live, specification):
    def work(**outcome) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for job in riskscope_live.jobs.list(status="queued"):
                finish_live(job.id, **outcome)
                return
            time.sleep(0.05)

    in_background(work)
    done = run("submit", specification, "--wait")
    assert done.exit_code == 0, done.output
    assert f"fit {done.stdout.strip()}: succeeded" in done.stderr
    in_background(work)
    done = run("submit", specification, "--wait", "--json")
    assert json.loads(done.stdout)["status"] == "succeeded"
    in_background(work, status="failed", error={"code": "invalid_data", "message": "too few rows"})
    failed = run("submit", specification, "--wait", "--json")
    assert failed.exit_code == ExitCode.FAILED
    error = error_of(failed)
    assert error["reason"]["code"] == "invalid_data"
    assert error["job_id"].startswith("job_")


def test_watching_shows_events_and_ends_as_the_job_does(run, job_live, finish_live):
    late = run("watch", job_live.id, "--timeout", 0.2)
    assert late.exit_code == ExitCode.UNFINISHED
    assert "it goes on" in late.stderr
    finish_live(job_live.id)
    done = run("watch", job_live.id)
    assert (done.exit_code, done.stdout) == (0, f"{job_live.id} succeeded\n")
    events = [json.loads(line) for line in run("watch", job_live.id, "--json").stdout.splitlines()]
    assert [event["type"] for event in events] == ["queued", "running", "progress", "progress", "succeeded"]


def test_cancelled_job_is_neither_done_nor_failed(run, job_live):
    cancelled = run("jobs", "cancel", job_live.id)
    assert cancelled.stdout == f"{job_live.id} cancelled\n"
    refused = run("watch", job_live.id, "--json")
    assert refused.exit_code == ExitCode.UNFINISHED
    assert json.loads(refused.stderr)["error"]["status"] == "cancelled"
    assert run("jobs", "retry", job_live.id).stdout == f"{job_live.id} queued\n"
    assert run("jobs", "retry", job_live.id).exit_code == ExitCode.REFUSED


def test_jobs_are_listed_shown_and_read(run, riskscope_live, job_live, finish_live, cell, tmp_path):
    other = riskscope_live.submit(SPEC, metadata={"team": "a"})
    table = run("jobs", "list").stdout.splitlines()
    assert [line.split()[0] for line in table[2:]] == [other.id, job_live.id]
    found = json.loads(run("jobs", "list", "--metadata", "team=a", "--status", "queued", "--json").stdout)
    assert [job["id"] for job in found] == [other.id]
    assert run("jobs", "list", "--metadata", "team").exit_code == ExitCode.USAGE
    assert run("jobs", "list", "--status", "lost").exit_code == ExitCode.USAGE
    assert run("jobs", "result", job_live.id).exit_code == ExitCode.REFUSED
    finish_live(job_live.id, cells=[cell(4, 10, "inf")], result={"risk": "inf"})
    shown = [line.split() for line in run("jobs", "show", job_live.id).stdout.splitlines()]
    assert ["job", job_live.id] in shown
    assert ["status", "succeeded"] in shown
    assert json.loads(run("jobs", "show", job_live.id, "--json").stdout)["id"] == job_live.id
    assert json.loads(run("jobs", "result", job_live.id).stdout)["risk"] == "inf"
    assert run("jobs", "report", job_live.id, tmp_path / "report.html").exit_code == 0
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert run("jobs", "show", "job_0").exit_code == ExitCode.REFUSED


def test_service_that_is_not_there_is_told_apart(run, monkeypatch):
    monkeypatch.setattr("api.client.client.sleep", lambda seconds: None)
    refused = run("jobs", "list", "--url", "http://127.0.0.1:9", "--json")
    assert refused.exit_code == ExitCode.UNREACHABLE
    assert "127.0.0.1:9" in error_of(refused)["message"]
    assert run("jobs", "list", "--url", "nonsense").exit_code == ExitCode.USAGE


def test_interrupt_ends_the_watching_and_not_the_job(address, job_live, riskscope_live):
    command = [sys.executable, "-m", "api.cli", "watch", job_live.id]
    environment = os.environ | {"RISKSCOPE_URL": f"http://{address}"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr.readline() == f"fit {job_live.id}: queued\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == ExitCode.INTERRUPTED
    assert f"Job {job_live.id} goes on" in told
    assert "Traceback" not in told
    assert riskscope_live.jobs.get(job_live.id).status == "queued"
