"""Where a call goes, and what it does not do: nothing reaches an address that was not checked."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from webhook_receiver import Receiver, receiving

from worker.webhook_connection import Answer, NameNotResolvedError, call, resolve

LOOPBACK = [ip_network("127.0.0.1/32"), ip_network("::1/128")]


@pytest.fixture(scope="module")
def shared_receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def receiver(shared_receiver: Receiver) -> Receiver:
    shared_receiver.received.clear()
    shared_receiver.answers.clear()
    return shared_receiver


class Names:
    """A resolver that answers as told, and remembers what it was asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def send(receiver: Receiver, url: str, **options: Any) -> Answer:
    chosen: dict[str, Any] = {"allowed": LOOPBACK, "tls": receiver.trust(), "timeout_seconds": 5.0} | options
    return call(url, b'{"a":1}', {"webhook-id": "msg_1"}, **chosen)


def test_call_carries_body_headers_and_the_name_and_goes_to_the_address(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"])
    assert send(receiver, receiver.url("hooks.example.org"), lookup=names) == Answer(204, None)
    (got,) = receiver.received
    assert (got.path, got.body) == ("/hook?token=t", b'{"a":1}')
    assert got.headers["host"] == f"hooks.example.org:{receiver.port}"
    assert got.headers["webhook-id"] == "msg_1"
    assert names.asked == [("hooks.example.org", receiver.port)]


def test_name_that_changes_its_address_after_the_check_is_not_asked_again(receiver: Receiver) -> None:
    """DNS rebinding: the second answer would lead inside."""
    names = Names(["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"])
    assert send(receiver, receiver.url("hooks.example.org"), lookup=names).response_status == 204
    assert len(names.asked) == 1
    # And the next call checks what the name says then.
    assert send(receiver, receiver.url("hooks.example.org"), lookup=names) == Answer(None, "address_refused")
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "fe80::1%lo",
        "fd00::1",
        "0.0.0.0",
    ],
)
def test_name_that_leads_inside_is_refused_even_beside_a_public_address(receiver: Receiver, address: str) -> None:
    for found in ([address], ["93.184.216.34", address], [address, "93.184.216.34"]):
        answer = send(receiver, receiver.url("hooks.example.org"), lookup=Names(found), allowed=[])
        assert answer == Answer(None, "address_refused")
    assert receiver.received == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "[::1]", "[::ffff:7f00:1]"]
)
def test_loopback_is_refused_however_it_is_written(receiver: Receiver, host: str) -> None:
    """By the machine's own resolver, which reads all of these."""
    assert send(receiver, receiver.url(host), allowed=[]) == Answer(None, "address_refused")
    assert receiver.received == []


def test_mapped_address_counts_as_the_one_inside(receiver: Receiver) -> None:
    answer = send(receiver, receiver.url("hooks.example.org"), lookup=Names(["::ffff:127.0.0.1"]))
    assert answer == Answer(204, None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answers.append((status, {"Location": receiver.url(path="/elsewhere")}))
    assert send(receiver, receiver.url()) == Answer(status, "redirect_refused")
    assert [got.path for got in receiver.received] == ["/hook?token=t"]


def test_certificate_must_be_for_the_name_and_of_a_trusted_authority(receiver: Receiver) -> None:
    here = Names(["127.0.0.1"])
    assert send(receiver, receiver.url("other.example.org"), lookup=here) == Answer(None, "tls_failed")
    stranger = ssl.create_default_context()
    assert send(receiver, receiver.url("hooks.example.org"), lookup=here, tls=stranger) == Answer(None, "tls_failed")
    assert receiver.received == []


def test_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert send(receiver, receiver.url()).response_status == 204


def test_next_address_is_tried_where_one_takes_no_connection(receiver: Receiver) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert send(receiver, f"https://127.0.0.1:{port}/") == Answer(None, "connection_failed")
    # Nothing listens on ::1.
    answer = send(receiver, receiver.url("hooks.example.org"), lookup=Names(["::1", "127.0.0.1"]))
    assert answer == Answer(204, None)


def test_name_that_leads_nowhere(receiver: Receiver) -> None:
    def nowhere(host: str, port: int) -> list[str]:
        raise NameNotResolvedError

    assert send(receiver, receiver.url("hooks.example.org"), lookup=nowhere) == Answer(None, "name_not_resolved")
    assert send(receiver, receiver.url("hooks.example.org"), lookup=Names([])) == Answer(None, "name_not_resolved")
    for host in ("a..b", "x" * 64 + ".example"):
        with pytest.raises(NameNotResolvedError):
            resolve(host, 443)


def drip(handler: Any) -> None:
    """An answer of one byte every 50 ms: each read is quick, and there is no end."""
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        handler.close_connection = True


def test_slow_answers_end_at_the_deadline(receiver: Receiver) -> None:
    receiver.answers.append(drip)
    assert send(receiver, receiver.url(), timeout_seconds=0.8) == Answer(None, "timeout")


def test_peer_that_never_speaks_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        answer = call(url, b"", {}, allowed=LOOPBACK, tls=ssl.create_default_context(), timeout_seconds=0.3)
    assert answer == Answer(None, "timeout")


def test_long_answer_is_not_read(receiver: Receiver) -> None:
    sent = []
    done = threading.Event()

    def flood(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(10**9))
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b"x" * 10**6)
                sent.append(1)
        except OSError:
            handler.close_connection = True
        finally:
            done.set()

    receiver.answers.append(flood)
    assert send(receiver, receiver.url()) == Answer(200, None)
    assert done.wait(10)
    assert len(sent) < 100


def test_what_is_no_http_is_a_lost_connection(receiver: Receiver) -> None:
    def babble(handler: Any) -> None:
        handler.wfile.write(b"SSH-2.0-x\r\n")
        handler.close_connection = True

    receiver.answers.append(babble)
    assert send(receiver, receiver.url()) == Answer(None, "connection_lost")


def test_url_that_became_forbidden_is_refused(receiver: Receiver) -> None:
    """A row may be older than a rule."""
    assert send(receiver, "http://127.0.0.1/") == Answer(None, "url_refused")
