"""Deliveries from row to receiver: signed, tried again with longer pauses, given up, and never lost with a process."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook, WebhookVerificationError
from webhook_receiver import Received, Receiver, receiving

from db.engine import Database
from db.job_state import JobStatus
from db.key_secret import key_secret
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.repositories.webhook_secrets import WebhookSecrets
from db.settings import ServiceSettings
from db.tables import WebhookDelivery
from db.types import after
from worker.children import import_path
from worker.settings import WorkerSettings
from worker.webhooks import WebhookSender, pause_before_retry


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def settings(storage_settings: ServiceSettings) -> WorkerSettings:
    return WorkerSettings(
        data_directory=storage_settings.data_directory,
        database_url=storage_settings.database_url,
        webhook_allowed_networks=[ip_network("127.0.0.1/32")],
        webhook_timeout_seconds=2,
        webhook_attempts=3,
    )


@pytest.fixture
def sender(database: Database, settings: WorkerSettings, receiver: Receiver) -> WebhookSender:
    return WebhookSender(database, settings, threading.Event(), tls=receiver.trust())


def end_a_job(database: Database, url: str, status: JobStatus = JobStatus.SUCCEEDED) -> str:
    with database.unit_of_work() as session:
        job = Jobs(session, "local").accept(
            kind="fit", spec={}, metadata={}, priority=0, dataset_ids=[], max_attempts=1, webhook_url=url
        )
        claim = JobQueue(session).claim(job.id, "w", 60)
        assert claim is not None
        assert JobQueue(session).finish(job.id, claim.attempt, status, result={"secret": "number"})
    return job.id


def send(sender: WebhookSender) -> int:
    begun = sender.send_due()
    for thread in begun:
        thread.join(timeout=30)
    return len(begun)


def the_delivery(database: Database) -> WebhookDelivery:
    with database.reading() as session:
        return session.scalars(select(WebhookDelivery)).one()


def make_due(database: Database) -> None:
    with database.unit_of_work() as session:
        session.execute(update(WebhookDelivery).values(next_attempt_at=after(-1)))


def live(database: Database, settings: ServiceSettings, owner: str = "local") -> list[str]:
    with database.reading() as session:
        return WebhookSecrets(session, owner, key_secret(settings)).live()


def verified(received: Received, secret: str) -> Any:
    return Webhook(secret).verify(received.body, received.headers)


def test_message_is_signed_names_the_job_and_holds_no_result(
    database: Database, settings: WorkerSettings, receiver: Receiver, sender: WebhookSender
) -> None:
    job_id = end_a_job(database, receiver.url())
    assert send(sender) == 1
    delivery = the_delivery(database)
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("delivered", 1, 204)
    assert (delivery.next_attempt_at, delivery.error) == (None, None)
    (got,) = receiver.received
    (secret,) = live(database, settings)
    assert verified(got, secret) == {
        "type": "job.succeeded",
        "timestamp": delivery.created_at.isoformat().replace("+00:00", "Z"),
        "data": {"id": job_id, "object": "job", "status": "succeeded", "links": {"self": f"/v1/jobs/{job_id}"}},
    }
    assert got.headers["webhook-id"] == delivery.id
    assert got.headers["content-type"] == "application/json"
    assert send(sender) == 0


def test_other_owners_secret_changed_bodies_and_old_times_do_not_verify(
    database: Database, settings: WorkerSettings, receiver: Receiver, sender: WebhookSender
) -> None:
    end_a_job(database, receiver.url())
    send(sender)
    (got,) = receiver.received
    (secret,) = live(database, settings)
    old = str(int(got.headers["webhook-timestamp"]) - 3600)
    changed = [
        (got, live(database, settings, "other")[0]),
        (Received(got.path, got.headers, got.body.replace(b"succeeded", b"cancelled")), secret),
        (Received(got.path, got.headers | {"webhook-timestamp": old}, got.body), secret),
        (Received(got.path, got.headers | {"webhook-id": "msg_2"}, got.body), secret),
    ]
    for received, under in changed:
        with pytest.raises(WebhookVerificationError):
            verified(received, under)


def test_after_a_rotation_both_secrets_verify(
    database: Database, settings: WorkerSettings, receiver: Receiver, sender: WebhookSender
) -> None:
    with database.unit_of_work() as session:
        WebhookSecrets(session, "local", key_secret(settings)).rotate()
    end_a_job(database, receiver.url())
    send(sender)
    both = live(database, settings)
    assert len(both) == 2
    for secret in both:
        assert verified(receiver.received[0], secret)["type"] == "job.succeeded"


def test_failures_are_tried_again_with_the_same_message_until_they_are_given_up(
    database: Database, receiver: Receiver, sender: WebhookSender
) -> None:
    end_a_job(database, receiver.url(), JobStatus.FAILED)
    receiver.answers += [(500, {}), (302, {"Location": receiver.url(path="/other")}), (503, {})]
    pauses = []
    for attempt, (status, error) in enumerate([(500, "http_status"), (302, "redirect_refused")], start=1):
        assert send(sender) == 1
        delivery = the_delivery(database)
        assert (delivery.status, delivery.attempts) == ("pending", attempt)
        assert (delivery.response_status, delivery.error) == (status, error)
        assert delivery.next_attempt_at is not None
        assert delivery.last_attempt_at is not None
        pauses.append(delivery.next_attempt_at - delivery.last_attempt_at)
        assert send(sender) == 0
        make_due(database)
    # 10 s and 40 s, each between half and one and a half, and what the call took.
    assert timedelta(seconds=5) <= pauses[0] <= timedelta(seconds=20)
    assert timedelta(seconds=20) <= pauses[1] <= timedelta(seconds=65)
    assert send(sender) == 1
    delivery = the_delivery(database)
    assert (delivery.status, delivery.attempts, delivery.next_attempt_at) == ("failed", 3, None)
    assert len({(got.headers["webhook-id"], got.body) for got in receiver.received}) == 1
    assert [got.path for got in receiver.received] == ["/hook?token=t"] * 3
    assert send(sender) == 0


def test_gone_is_given_up_at_once(database: Database, receiver: Receiver, sender: WebhookSender) -> None:
    end_a_job(database, receiver.url())
    receiver.answers.append((410, {}))
    send(sender)
    delivery = the_delivery(database)
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("failed", 1, 410)


def test_address_inside_is_refused_where_no_network_is_allowed(
    database: Database, settings: WorkerSettings, receiver: Receiver
) -> None:
    closed = settings.model_copy(update={"webhook_allowed_networks": []})
    end_a_job(database, receiver.url())
    send(WebhookSender(database, closed, threading.Event(), tls=receiver.trust()))
    delivery = the_delivery(database)
    assert (delivery.status, delivery.response_status, delivery.error) == ("pending", None, "address_refused")
    assert receiver.received == []


def test_slow_receivers_keep_no_more_than_the_senders_busy(
    database: Database, settings: WorkerSettings, receiver: Receiver
) -> None:
    release = threading.Event()

    def hold(handler: Any) -> None:
        release.wait(10)
        handler.send_response(204)
        handler.end_headers()

    receiver.answers += [hold, hold]
    for _ in range(3):
        end_a_job(database, receiver.url())
    two = settings.model_copy(update={"webhook_senders": 2, "webhook_timeout_seconds": 20.0})
    sender = WebhookSender(database, two, threading.Event(), tls=receiver.trust())
    begun = sender.send_due()
    assert len(begun) == 2
    assert sender.send_due() == []
    release.set()
    for thread in begun:
        thread.join(timeout=30)
    assert send(sender) == 1
    assert len(receiver.received) == 3


END_AND_DIE = """
import os, signal
from db.engine import Database
from db.job_state import JobStatus
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs
from db.settings import ServiceSettings
import sys

database = Database(ServiceSettings())
with database.unit_of_work() as session:
    job = Jobs(session, "local").accept(
        kind="fit", spec={}, metadata={}, priority=0, dataset_ids=[], max_attempts=1, webhook_url=sys.argv[1]
    )
    claim = JobQueue(session).claim(job.id, "w", 60)
    JobQueue(session).finish(job.id, claim.attempt, JobStatus.SUCCEEDED, result={})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_process_killed_between_commit_and_call_loses_no_delivery(
    database: Database, settings: WorkerSettings, receiver: Receiver, sender: WebhookSender
) -> None:
    environment = {
        "PYTHONPATH": import_path(),
        "RISKSCOPE_DATA_DIRECTORY": str(settings.data_directory),
        "RISKSCOPE_DATABASE_URL": settings.database_url,
    }
    outcome = subprocess.run(
        [sys.executable, "-c", END_AND_DIE, receiver.url()],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == -9, outcome.stderr
    assert receiver.received == []
    assert send(sender) == 1
    assert json.loads(receiver.received[0].body)["type"] == "job.succeeded"


def test_call_whose_end_was_never_written_is_made_again(
    database: Database, settings: WorkerSettings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies after the receiver answered: the same message comes twice, and its id says so."""
    end_a_job(database, receiver.url())
    dying = WebhookSender(database, settings, threading.Event(), tls=receiver.trust())
    monkeypatch.setattr(dying, "_settle", lambda *_: None)
    send(dying)
    sender = WebhookSender(database, settings, threading.Event(), tls=receiver.trust())
    assert send(sender) == 0
    make_due(database)
    assert send(sender) == 1
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1
    assert len(receiver.received) == 2
    assert (the_delivery(database).status, the_delivery(database).attempts) == ("delivered", 2)


def test_nine_attempts_take_about_twelve_hours() -> None:
    def spread(tries: int) -> Callable[[], float]:
        return lambda: pause_before_retry(10.0, tries)

    means = [sum(spread(tries)() for _ in range(2000)) / 2000 for tries in range(1, 9)]
    assert means == pytest.approx([10, 40, 160, 640, 2560, 10240, 14400, 14400], rel=0.05)
    assert 10 < sum(means) / 3600 < 14
    drawn = [pause_before_retry(10.0, 1) for _ in range(2000)]
    assert 5 <= min(drawn) < 6 < 14 < max(drawn) <= 15
