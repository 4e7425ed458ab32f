"""Where a webhook may go: the form of its URL, and the addresses that nothing is sent to.

It stands here because `db` is the one package that api and worker both know: one refuses early, one when it connects.
"""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

MAX_LENGTH = 2048
# Strict on purpose: what two parsers could read in two ways is refused.
PATTERN = (
    r"^https://([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(:[0-9]{1,5})?([/?][A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]*)?$"
)
FIRST_UNPRIVILEGED_PORT = 1024

# The IANA registries of special-purpose addresses, and multicast; of IPv6, all but global unicast.
_NOT_PUBLIC_4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
_UNICAST_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = [
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
]
_TRANSLATED = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class WebhookUrl:
    """A URL of the strict form. `host`: a name, or an address without brackets; `target`: path and query."""

    host: str
    port: int
    target: str


def parse_webhook_url(url: str) -> WebhookUrl:
    """The parts of a URL.

    Raises:
        ValueError: it is not of the strict form; the text says what is wrong, and repeats nothing of it.
    """
    match = re.fullmatch(PATTERN, url)
    if match is None or len(url) > MAX_LENGTH:
        raise ValueError("It must be https://host[:port][/path][?query] in ASCII, without a user or a fragment.")
    host, port, target = match[1].strip("[]"), int((match[3] or ":443")[1:]), match[4] or "/"
    if not (port == 443 or FIRST_UNPRIVILEGED_PORT <= port <= 65535):
        raise ValueError("The port must be 443 or between 1024 and 65535.")
    if ":" in host and literal_address(host) is None:
        raise ValueError("The IPv6 address is not one.")
    return WebhookUrl(host, port, target if target.startswith("/") else f"/{target}")


def check_webhook_url(url: str, allowed: Sequence[Network]) -> None:
    """What can be known without a look at the network: the form, and the address where the host is one.

    Raises:
        ValueError: nothing will ever be sent there; the text says why.
    """
    host = parse_webhook_url(url).host
    address = literal_address(host)
    if address is not None and not may_be_called(address, allowed):
        raise ValueError("The address is not a public one.")
    if address is None and not allowed and ("." not in host or host.lower().endswith(".localhost")):
        raise ValueError("The host is not a public name.")


def literal_address(host: str) -> Address | None:
    """The address that a host stands for by itself, as resolvers read it: 2130706433 and 0x7f.1 are 127.0.0.1."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def may_be_called(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether an address is public or in a network that the operator allowed."""
    inner = _inner(address)
    return any(inner in network for network in allowed if network.version == inner.version) or _is_public(inner)


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to by mapping or translation."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _TRANSLATED:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    # A scoped address is of a link.
    return (
        address.scope_id is None and address in _UNICAST_6 and not any(address in network for network in _NOT_PUBLIC_6)
    )
