"""Waiting over connections that are lost: every event comes once, and progress is shown."""

import io
import json

import httpx
import pytest
from rich.console import Console

from api.client import ServiceUnreachable
from api.client.documents.jobs import JobEvent
from api.client.progress import ProgressBar, duration
from api.client.server_sent_events import event_data


def event(number: int, type_: str = "progress", **data) -> dict:
    return {
        "id": str(number),
        "object": "job.event",
        "type": type_,
        "data": data,
        "created_at": "2026-01-01T00:00:00Z",
    }


def written(*events: dict) -> bytes:
    return b"".join(f"id: {e['id']}\nevent: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events)


class Stream(httpx.SyncByteStream):
    """Sends what it has, then breaks; None: ends as it should."""

    def __init__(self, content: bytes, error: Exception | None = None) -> None:
        self.content = content
        self.error = error

    def __iter__(self):
        yield self.content
        if self.error is not None:
            raise self.error


def stream(content: bytes, error: Exception | None = None) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=Stream(content, error))


def page(*events: dict) -> httpx.Response:
    return httpx.Response(200, json={"data": list(events), "has_more": False, "last_id": None})


LOST = httpx.RemoteProtocolError("peer closed connection")


def test_stream_resumes_after_the_last_event_that_was_whole(scripted, job_document):
    cut = written(event(1), event(2))[:-20]
    running, done = (httpx.Response(200, json=job_document(status)) for status in ("running", "succeeded"))
    client, script, waited = scripted(
        done,
        stream(cut, LOST),
        stream(written(event(2)), httpx.ReadTimeout("quiet")),
        stream(b": ping\n\n"),
        running,
        stream(written(event(3, "succeeded"))),
        done,
        page(),
    )
    found = [each.id for each in client.jobs.get("job_1").events(follow=True)]
    assert found == ["1", "2", "3"]
    asked = [request.headers.get("Last-Event-ID") for request in script.requests if "events" in request.url.path]
    assert asked == ["0", "1", "2", "2", None]
    assert len(waited) == 3


def test_events_that_a_closing_service_did_not_send_are_asked_for(scripted, job_document):
    done = httpx.Response(200, json=job_document("succeeded"))
    client, script, _ = scripted(done, stream(written(event(1))), done, page(event(2, "succeeded")))
    assert [each.id for each in client.jobs.get("job_1").events(follow=True)] == ["1", "2"]
    assert script.requests[-1].url.params["after"] == "1"


def test_streams_that_bring_nothing_are_given_up(scripted, job_document):
    empty = [stream(b"", LOST) for _ in range(3)]
    client, script, _ = scripted(httpx.Response(200, json=job_document("running")), *empty, retries=2)
    job = client.jobs.get("job_1")
    with pytest.raises(ServiceUnreachable, match="ends every stream"):
        job.wait()
    assert len(script.requests) == 4


def test_service_that_stays_away_is_said(scripted, job_document):
    client, _, _ = scripted(httpx.Response(200, json=job_document("running")), httpx.ConnectError("refused"))
    job = client.jobs.get("job_1")
    with pytest.raises(ServiceUnreachable, match="refused"):
        job.wait()


def test_live_stream_brings_every_event_while_the_job_runs(job_live, in_background, finish_live):
    in_background(finish_live, job_live.id)
    types = [each.type for each in job_live.events(follow=True)]
    assert types == ["queued", "running", "progress", "progress", "succeeded"]


def test_waiting_shows_progress_on_standard_error(job, finish, capsys):
    finish(job.id)
    job.wait(progress=True)
    captured = capsys.readouterr()
    assert f"fit {job.id}" not in captured.out
    assert f"fit {job.id}: training" in captured.err
    assert f"fit {job.id}: succeeded" in captured.err


def test_bar_shows_phase_share_and_time_left():
    console = Console(file=io.StringIO(), force_terminal=True, width=160, color_system=None)
    with ProgressBar("fit job_1", console) as bar:
        bar.show(JobEvent.model_validate(event(1, "running", attempt=1)))
        bar.show(JobEvent.model_validate(event(2, phase="grid", step=1, total=4, fraction=0.25, eta_seconds=300.0)))
    shown = console.file.getvalue()
    for words in ("fit job_1", "25%", "grid", "about 5 min left of this phase"):
        assert words in shown


def test_log_gets_a_line_for_each_phase():
    console = Console(file=io.StringIO(), force_terminal=False, width=80)
    with ProgressBar("fit job_1", console) as bar:
        for number in range(1, 4):
            bar.show(JobEvent.model_validate(event(number, phase="grid", step=number, total=4, fraction=None)))
        bar.show(JobEvent.model_validate(event(4, "failed")))
    assert console.file.getvalue() == "fit job_1: grid\nfit job_1: failed\n"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (42.4, "42 s"), (100, "2 min"), (3600, "60 min"), (7500, "2 h 5 min")]
)
def test_durations_are_said_as_exactly_as_they_are_known(seconds, words):
    assert duration(seconds) == words


def test_event_without_its_end_is_not_given():
    lines = ["id: 1", "data: a", "data: b", "", ": comment", "", "event: x", "data:c", "", "data: cut"]
    assert list(event_data(lines)) == ["a\nb", "c"]
