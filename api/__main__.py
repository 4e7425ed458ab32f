"""`python -m api`: uvicorn over one app, on a port or on a socket inherited from the supervisor."""

import gc
import socket
import sys
import threading
from types import FrameType

import uvicorn

from api.large_bodies import large_bodies
from api.main import create_app
from api.settings import ApiSettings
from db.engine import Database
from db.logs import configure_logs
from db.migrate import schema_is_current
from db.repositories.api_keys import ApiKeys


def refusal(settings: ApiSettings) -> str | None:
    """Why this server must not start, or None."""
    database = Database(settings)
    try:
        if not schema_is_current(database):
            return "The database is not at the current schema: run 'riskscope migrate' first."
        if settings.bound_to_loopback or settings.admin_key is not None:
            return None
        with database.reading() as session:
            if ApiKeys(session).any_live():
                return None
        return (
            f"Bound to {settings.host}, and no API key exists: anyone could use it. Create one with "
            "'riskscope keys create', set RISKSCOPE_ADMIN_KEY, or bind to 127.0.0.1."
        )
    finally:
        database.close()


class Server(uvicorn.Server):
    """Ends open event streams and long polls at the first signal, instead of waiting for them."""

    def __init__(self, config: uvicorn.Config, closing: threading.Event) -> None:
        super().__init__(config)
        self._closing = closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT or SIGTERM."""
        self._closing.set()
        super().handle_exit(sig, frame)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = ApiSettings()
    configure_logs(settings.log_level, settings.log_format)
    reason = refusal(settings)
    if reason is not None:
        sys.exit(reason)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        http=large_bodies(settings.max_body_bytes),
        # Nothing here looks at where a request came from.
        proxy_headers=False,
        server_header=False,
        # A client that does not hang up would hold the shutdown for ever.
        timeout_graceful_shutdown=3,
    )
    # What was imported never dies: a full collection that looks at it all stops requests for 200 ms.
    gc.collect()
    gc.freeze()
    server = Server(config, app.state.closing)
    # Handed over as a socket: uvicorn would take a bare descriptor for a Unix socket and leave Nagle's delay on.
    server.run(None if settings.socket_fd is None else [socket.socket(fileno=settings.socket_fd)])


if __name__ == "__main__":
    main()
