"""Sends webhooks: claims due deliveries, signs and calls, and writes how it went."""

import json
import secrets
import ssl
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version

import certifi
import structlog
from sqlalchemy.exc import SQLAlchemyError
from standardwebhooks import Webhook

from db.engine import Database
from db.key_secret import key_secret
from db.repositories.webhook_deliveries import DELIVERED, FAILED, PENDING, DueDelivery, WebhookQueue
from db.repositories.webhook_secrets import WebhookSecrets
from worker.settings import WorkerSettings
from worker.webhook_connection import Answer, Resolve, call, resolve

logger = structlog.get_logger(__name__)

BACKOFF = 4.0
LONGEST_RETRY_SECONDS = 4 * 3600.0
GONE = 410
LEASE_SECONDS = 60.0
"""Beyond the timeout: the resolver has its own, and the answer must be written."""

_RANDOM = secrets.SystemRandom()


class WebhookSender:
    """A thread that looks for due deliveries, and one for each call. They are daemons: a call that is cut off by the
    worker's end is made again once its lease is over."""

    def __init__(
        self,
        database: Database,
        settings: WorkerSettings,
        draining: threading.Event,
        tls: ssl.SSLContext | None = None,
        lookup: Resolve = resolve,
    ) -> None:
        self._database = database
        self._settings = settings
        self._draining = draining
        self._tls = tls or trust()
        self._lookup = lookup
        self._calls: dict[threading.Thread, str] = {}
        self._thread = threading.Thread(target=self._send_for_ever, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Wait a moment for the calls under way."""
        until = time.monotonic() + 1
        for thread in (self._thread, *self._calls):
            thread.join(timeout=max(0.0, until - time.monotonic()))

    def _send_for_ever(self) -> None:
        while not self._draining.is_set():
            try:
                self.send_due()
            except (SQLAlchemyError, OSError) as error:
                logger.warning("webhooks_failed", reason=str(error).splitlines()[0])
            except Exception:
                logger.exception("webhooks_failed")
            self._draining.wait(self._settings.sweep_seconds)

    def send_due(self) -> list[threading.Thread]:
        """Begin as many calls as are due and as there are senders for; their threads."""
        self._calls = {thread: owner for thread, owner in self._calls.items() if thread.is_alive()}
        free = self._settings.webhook_senders - len(self._calls)
        if free <= 0:
            return []
        with self._database.reading() as session:
            if not WebhookQueue(session).any_due():
                return []
        with self._database.unit_of_work() as session:
            lease, busy = self._settings.webhook_timeout_seconds + LEASE_SECONDS, Counter(self._calls.values())
            due = WebhookQueue(session).claim(free, lease, busy)
        begun = {
            threading.Thread(target=self._send, args=(delivery,), name=delivery.id, daemon=True): delivery.owner
            for delivery in due
        }
        self._calls |= begun
        for thread in begun:
            thread.start()
        return list(begun)

    def _send(self, delivery: DueDelivery) -> None:
        named = {"job_id": delivery.job_id, "delivery_id": delivery.id, "attempt": delivery.attempt}
        with structlog.contextvars.bound_contextvars(**named):
            try:
                self._settle(delivery, self._call(delivery))
            except Exception:
                # Its lease ends, and it is due again.
                logger.exception("webhook_not_settled")

    def _call(self, delivery: DueDelivery) -> Answer:
        body = message(delivery)
        with self._database.reading() as session:
            live = WebhookSecrets(session, delivery.owner, key_secret(self._settings)).live()
        return call(
            delivery.url,
            body,
            signed_headers(delivery.id, datetime.now(UTC), body, live),
            allowed=self._settings.webhook_allowed_networks,
            tls=self._tls,
            timeout_seconds=self._settings.webhook_timeout_seconds,
            lookup=self._lookup,
        )

    def _settle(self, delivery: DueDelivery, answer: Answer) -> None:
        retry: float | None = None
        if answer.error is None:
            status = DELIVERED
        elif answer.response_status == GONE or delivery.tries >= self._settings.webhook_attempts:
            status = FAILED
        else:
            status, retry = PENDING, pause_before_retry(self._settings.webhook_retry_seconds, delivery.tries)
        with self._database.unit_of_work() as session:
            WebhookQueue(session).settle(
                delivery,
                status,
                response_status=answer.response_status,
                error=answer.error,
                retry_after_seconds=retry,
            )
        # Not the URL, which may hold a secret of the receiver's.
        logger.info("webhook_called", status=status, response_status=answer.response_status, error=answer.error)


def trust() -> ssl.SSLContext:
    """The authorities that HTTPX trusts by default; SSL_CERT_FILE and SSL_CERT_DIR name others beside them."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def message(delivery: DueDelivery) -> bytes:
    """The body: the same bytes in every attempt. Results are not in it; they are fetched with a key."""
    content = {
        "type": f"job.{delivery.job_status}",
        "timestamp": delivery.created_at.isoformat().replace("+00:00", "Z"),
        "data": {
            "id": delivery.job_id,
            "object": "job",
            "status": delivery.job_status,
            "links": {"self": f"/v1/jobs/{delivery.job_id}"},
        },
    }
    return json.dumps(content, separators=(",", ":")).encode()


def signed_headers(message_id: str, at: datetime, body: bytes, live: list[str]) -> dict[str, str]:
    """Headers of Standard Webhooks, with a signature under each live secret. `at`: in UTC."""
    return {
        "Content-Type": "application/json",
        "User-Agent": f"riskscope/{version('riskscope')}",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, at, body.decode()) for secret in live),
    }


def pause_before_retry(first_seconds: float, tries: int) -> float:
    """After `tries` attempts: four times as long each time, up to a cap, and by chance between half and one and a half
    of that, so that receivers that failed together are not called together."""
    return float(_RANDOM.uniform(0.5, 1.5) * min(LONGEST_RETRY_SECONDS, first_seconds * BACKOFF ** (tries - 1)))
