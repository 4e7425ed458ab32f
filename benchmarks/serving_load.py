"""HTTP/1.1 load from a process of its own: so many connections, each asks again as soon as it is answered.

    python benchmarks/serving_load.py HOST:PORT REQUEST_FILE CONNECTIONS SECONDS

REQUEST_FILE holds the bytes of one whole request. Prints a JSON object: requests, errors, seconds, the latencies'
median and 99th percentile in milliseconds, and the processor time of this process over its wall time: well under 1, or
the load is the bottleneck. `--idle-server` starts a server that answers a fixed text, to see what the load can do.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Connection(asyncio.Protocol):
    """One client: sends the request, waits for the whole answer, and begins again until the time is over."""

    def __init__(self, request: bytes, ends_at: float, over: asyncio.Event) -> None:
        self.request, self.ends_at, self.over = request, ends_at, over
        self.latencies: list[float] = []
        self.errors = 0
        self.buffer = b""
        self.missing = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        """Send the request."""
        self.sent_at = time.perf_counter()
        self.buffer, self.missing = b"", -1
        self.transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """A part of the answer."""
        if self.missing < 0:
            self.buffer += data
            head, separator, rest = self.buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            self.missing = int(length[15:]) - len(rest)
            self.errors += not head.startswith(b"HTTP/1.1 200")
        else:
            self.missing -= len(data)
        if self.missing <= 0:
            self.answered()

    def answered(self) -> None:
        """Note the time, ask again."""
        now = time.perf_counter()
        self.latencies.append(now - self.sent_at)
        if now < self.ends_at:
            self.ask()
        else:
            self.over.set()

    def connection_lost(self, error: Exception | None) -> None:
        """Closed before the time was over: an error, and the end of this client."""
        if not self.over.is_set():
            self.errors += 1
            self.over.set()


async def load(address: str, request: bytes, connections: int, seconds: float) -> dict[str, float]:
    """What was seen."""
    host, port = address.split(":")
    loop = asyncio.get_running_loop()
    began, used = time.perf_counter(), time.process_time()
    clients = [Connection(request, began + seconds, asyncio.Event()) for _ in range(connections)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, host, int(port))
    await asyncio.wait_for(asyncio.gather(*(client.over.wait() for client in clients)), seconds + 120)
    took = time.perf_counter() - began
    latencies = sorted(latency for client in clients for latency in client.latencies)
    return {
        "requests": len(latencies),
        "errors": sum(client.errors for client in clients),
        "seconds": took,
        "median_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[int(0.99 * len(latencies))],
        "load": (time.process_time() - used) / took,
    }


class IdleServer(asyncio.Protocol):
    """Answers every whole request with the same two bytes."""

    def __init__(self) -> None:
        self.missing, self.buffer = -1, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Count down to the end of the request."""
        if self.missing < 0:
            self.buffer += data
            head, separator, rest = self.buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            self.missing = int(length[15:]) - len(rest)
        else:
            self.missing -= len(data)
        if self.missing == 0:
            self.missing, self.buffer = -1, b""
            self.transport.write(ANSWER)  # type: ignore[attr-defined]


async def idle_server() -> None:
    """Serve until killed; prints the port."""
    server = await asyncio.get_running_loop().create_server(IdleServer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:] == ["--idle-server"]:
        uvloop.run(idle_server())
    else:
        address, file, connections, seconds = sys.argv[1:]
        print(json.dumps(uvloop.run(load(address, Path(file).read_bytes(), int(connections), float(seconds)))))
