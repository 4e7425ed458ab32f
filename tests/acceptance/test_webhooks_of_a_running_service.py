"""A job's end reaches its receiver, signed, also where the worker is killed while it calls."""

import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from service_processes import serving, until
from sqlalchemy import update
from standardwebhooks import Webhook
from webhook_receiver import receiving

from db.engine import Database
from db.settings import ServiceSettings
from db.tables import WebhookDelivery
from db.types import after

SPEC = {
    "kind": "fit",
    "data": {"kind": "target", "target": {"kind": "cosine_ridge"}, "dimension": 2, "noise": 0.1},
    "hypothesis_space": {"kind": "random_features", "width": 4},
    "learner": {"kind": "ridge", "penalty": 0.01},
    "sample_size": 20,
    "test_size": 50,
    "bounds": "none",
}


def worker_of(supervisor: int) -> psutil.Process:
    found = [child for child in psutil.Process(supervisor).children() if child.cmdline()[-2:] == ["module", "worker"]]
    return found[0]


def end_leases(data: Path) -> None:
    """A minute later, without waiting for it."""
    database = Database(ServiceSettings(data_directory=data))
    try:
        with database.unit_of_work() as session:
            session.execute(update(WebhookDelivery).values(next_attempt_at=after(-1)))
    finally:
        database.close()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_killed_worker_loses_no_webhook(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    release = threading.Event()

    def hold(_: Any) -> None:
        release.wait(120)

    with receiving() as receiver:
        environment = {
            "RISKSCOPE_WEBHOOK_ALLOWED_NETWORKS": '["127.0.0.1/32"]',
            "RISKSCOPE_WEBHOOK_TIMEOUT_SECONDS": "60",
            "SSL_CERT_FILE": str(receiver.write_authority(tmp_path / "authority.pem")),
        }
        receiver.answers.append(hold)
        with serving(data, log, environment) as served:
            client = served.client
            job = client.post("/v1/jobs", json={"spec": SPEC, "webhook": {"url": receiver.url()}}).json()
            # The call is under way, and its receiver does not answer.
            until(lambda: len(receiver.received) == 1, log)
            worker = worker_of(served.process.pid)
            worker.kill()
            release.set()
            until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, log)
            end_leases(data)
            path = job["links"]["webhook_deliveries"]

            def the_delivery() -> dict[str, Any]:
                (delivery,) = client.get(path).json()["data"]
                return dict(delivery)

            until(lambda: the_delivery()["status"] == "delivered", log)
            assert (the_delivery()["attempts"], the_delivery()["response_status"]) == (2, 204)
            secret = client.get("/v1/webhook_secret").json()["secret"]
            first, second = receiver.received
            assert first.headers["webhook-id"] == second.headers["webhook-id"] == the_delivery()["id"]
            message = Webhook(secret).verify(second.body, second.headers)
            assert (message["type"], message["data"]["id"]) == ("job.succeeded", job["id"])
            assert client.get(message["data"]["links"]["self"]).json()["status"] == "succeeded"
