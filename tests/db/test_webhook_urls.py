"""Which URLs may be a webhook's, and which addresses nothing is sent to."""

from ipaddress import ip_address, ip_network

import pytest

from db.webhook_urls import WebhookUrl, check_webhook_url, literal_address, may_be_called, parse_webhook_url


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://example.org", WebhookUrl("example.org", 443, "/")),
        ("https://example.org/a/b?c=d%20e", WebhookUrl("example.org", 443, "/a/b?c=d%20e")),
        ("https://example.org:8443?x=1", WebhookUrl("example.org", 8443, "/?x=1")),
        ("https://xn--bcher-kva.example/", WebhookUrl("xn--bcher-kva.example", 443, "/")),
        ("https://[2606:4700::1111]:8443/x", WebhookUrl("2606:4700::1111", 8443, "/x")),
        ("https://example.org/@user:x@y", WebhookUrl("example.org", 443, "/@user:x@y")),
    ],
)
def test_parts_of_a_url(url: str, parts: WebhookUrl) -> None:
    assert parse_webhook_url(url) == parts
    check_webhook_url(url, [])


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "HTTPS://example.org/",
        "ftp://example.org/",
        "//example.org/",
        "https:example.org",
        "https:///x",
        "https://",
        "https://user@example.org/",
        "https://user:word@example.org/",
        "https://example.org@127.0.0.1/",
        "https://example.org#@127.0.0.1/",
        "https://example.org/#fragment",
        "https://example.org\\@127.0.0.1/",
        "https://example.org\n/",
        "https://example.org/\r\nX-Injected: 1",
        "https://example.org/ x",
        " https://example.org/",
        "https://example.org./",
        "https://exa mple.org/",
        "https://bücher.example/",
        "https://①②⑦.⓪.⓪.①/",
        "https://example.org:22/",
        "https://example.org:80/",
        "https://example.org:65536/",
        "https://example.org:0/",
        "https://example.org:/",
        "https://[::1",
        "https://[::g]/",
        "https://[1:2:3]/",
        "https://[fe80::1%25eth0]/",
        "https://example.org/" + "a" * 2048,
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(It must be|The port|The IPv6)"):
        parse_webhook_url(url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "10.0.0.7",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "192.0.0.192",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::127.0.0.1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
        "[fe80::1]",
        "[fec0::1]",
        "[fc00::1]",
        "[fd12:3456::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[100::1]",
        "localhost",
        "intranet",
        "api.localhost",
    ],
)
def test_hosts_that_are_not_public_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match="public"):
        check_webhook_url(f"https://{host}:8443/", [])


def test_everything_that_python_calls_private_is_refused_and_public_addresses_are_not() -> None:
    """Drawn over the whole space: ours may refuse more than the standard library, never less."""
    step = 0xFFFFFFFF // 50_021
    refused = 0
    for number in range(0, 0xFFFFFFFF, step):
        address = ip_address(number)
        if not may_be_called(address, []):
            refused += 1
        else:
            assert address.is_global
            assert not address.is_multicast
    # 0/8, 10/8, 127/8, 224/3 and smaller ones.
    assert 0.135 < refused / 50_022 < 0.15
    for public in ("1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::101:101"):
        assert may_be_called(ip_address(public), [])


def test_allowed_networks_open_themselves_only() -> None:
    allowed = [ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")]
    check_webhook_url("https://10.1.2.3/", allowed)
    check_webhook_url("https://[fd00:1::2]/", allowed)
    check_webhook_url("https://[::ffff:10.1.2.3]/", allowed)
    # A name inside such a network may have no dot; where it leads is seen when it is called.
    check_webhook_url("https://receiver:8443/", allowed)
    for host in ("10.2.0.1", "127.0.0.1", "[::1]", "[fd00:2::1]", "[::ffff:10.2.0.1]"):
        with pytest.raises(ValueError, match="public"):
            check_webhook_url(f"https://{host}/", allowed)


def test_literal_addresses_are_read_as_resolvers_read_them() -> None:
    for host in ("2130706433", "0x7f.1", "127.1", "0177.1"):
        assert literal_address(host) == ip_address("127.0.0.1")
    for host in ("example.org", "1.2.3.400", "0xzz", "abc.1"):
        assert literal_address(host) is None
