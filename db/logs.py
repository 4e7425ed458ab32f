"""Structured logs on standard error, one form for every process; what is in hand is bound by its thread's context.

It stands here because `db` is the one package that api and worker both know.
"""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import Processor


def configure_logs(level: str, form: Literal["json", "console"]) -> None:
    """Route structlog and the standard library's loggers to the same lines."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Celery tells of every message, Alembic of every look at the schema; here the row's life is the log. HTTPX tells
    # whole addresses, which may hold a secret.
    for noisy in ("celery.app.trace", "celery.worker.strategy", "alembic", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
