"""The worker's composition root."""

import threading
from typing import Any

from celery import Celery, signals
from kombu import Queue

from db.artefact_store import ArtefactStore
from db.engine import Database
from db.job_state import QUEUE, RUN_JOB_TASK
from worker.children import WarmChildren
from worker.identity import worker_id
from worker.runner import Runner
from worker.settings import WorkerSettings
from worker.sweeper import Sweeper
from worker.tasks import register_tasks
from worker.webhooks import WebhookSender


def create_app(settings: WorkerSettings) -> Celery:
    """A Celery app with this service's options; it can send rings, and with `register_tasks` receive them."""
    app = Celery("riskscope", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_queues=[Queue(QUEUE)],
        task_serializer="json",
        accept_content=["json"],
        # The row is the truth: a message is done when its job is, and losing it loses nothing.
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        task_reject_on_worker_lost=False,
        task_ignore_result=True,
        task_track_started=False,
        worker_pool="threads",
        worker_concurrency=settings.slots,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=1,
        # Sending never hangs on a dead broker.
        task_publish_retry=False,
        broker_transport_options={
            "visibility_timeout": 86_400,
            "socket_timeout": 30,
            "socket_connect_timeout": 2,
            "health_check_interval": 25,
        },
    )
    return app


def ring(app: Celery, job_id: str) -> None:
    """Send a job's id. Raises kombu's OperationalError where the broker cannot be reached."""
    app.send_task(RUN_JOB_TASK, args=[job_id], queue=QUEUE, retry=False)


def run_worker(settings: WorkerSettings) -> None:
    """Work until SIGTERM or SIGINT; running jobs are handed back first."""
    database = Database(settings)
    store = ArtefactStore(settings.artefact_directory)
    draining = threading.Event()
    children = WarmChildren(settings)
    worker = worker_id()
    app = create_app(settings)

    def ring_for(job_id: str) -> None:
        ring(app, job_id)

    runner = Runner(database, store, settings, worker, children, draining, ring_for)
    register_tasks(app, runner)
    webhooks = WebhookSender(database, settings, draining)
    sweeper = Sweeper(database, store, settings, worker, runner, children, ring_for, draining)

    def drain(**_: Any) -> None:
        draining.set()

    def keep_our_logs(**_: Any) -> None:
        """Connected, it keeps Celery from configuring the logs again."""

    signals.worker_shutting_down.connect(drain)
    signals.setup_logging.connect(keep_our_logs)
    children.start()
    sweeper.start()
    webhooks.start()
    try:
        app.worker_main(["--quiet", "worker", "--pool=threads", "--without-gossip", "--without-mingle"])
    finally:
        draining.set()
        sweeper.stop()
        webhooks.stop()
        children.close()
        app.close()
        database.close()
