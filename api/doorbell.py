"""Rings for a queued job. Losing a ring loses nothing: the sweeper rings again for what nobody claimed."""

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from db.job_state import QUEUE, RUN_JOB_TASK

logger = structlog.get_logger(__name__)


class Doorbell:
    """A Celery producer that never hangs on a dead broker."""

    def __init__(self, broker_url: str) -> None:
        self._app = Celery(broker=broker_url, set_as_current=False)
        self._app.conf.update(
            task_serializer="json",
            task_publish_retry=False,
            task_ignore_result=True,
            broker_connection_timeout=1,
            broker_transport_options={"socket_timeout": 2, "socket_connect_timeout": 1},
        )

    def ring(self, job_id: str) -> bool:
        """Send the job's id; False where the broker could not take it, which the caller may ignore."""
        try:
            self._app.send_task(RUN_JOB_TASK, args=[job_id], queue=QUEUE, retry=False)
        except (OperationalError, OSError) as error:
            logger.warning("broker_unreachable", job_id=job_id, reason=type(error).__name__)
            return False
        return True

    def reachable(self) -> bool:
        """Whether the broker answers now."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=1)
        except (OperationalError, OSError):
            return False
        return True

    def close(self) -> None:
        """Return the connections."""
        self._app.close()
