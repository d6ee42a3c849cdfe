"""Where webhooks may go: to the public internet, and to what the operator named.

An address that an organisation chose must never make Berth call into the network that it runs
in. So the name is resolved here, every address of it is judged, and the caller connects to the
very address that was judged: a name that points elsewhere a moment later changes nothing.
"""

import ipaddress
import socket
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]
PORTS = (443, 8443)
RESOLVE_SECONDS = 5.0
LONGEST = 500

# Not all of these are “not global” to every Python that we run on.
_CLOSED = [
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598), and a cloud's metadata
        "168.63.129.16/32",  # a cloud's host, at a public address
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",
        "64:ff9b:1::/48",  # local NAT64 (RFC 8215): says nothing of where it leads
        "100::/64",
        "2001::/23",  # Teredo among others
        "2002::/16",  # 6to4
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",  # site-local, of old
    )
]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class Forbidden(ValueError):
    """Berth does not call there; its text says why."""


class Unresolved(OSError):
    """The name has no address just now."""


@dataclass(frozen=True, slots=True)
class Target:
    """What to call: the URL's parts, and the address to connect to."""

    scheme: str
    host: str
    port: int
    path: str
    address: str


def check_url(url: str, named: Collection[str]) -> SplitResult:
    """The parts of a URL that may be called as far as can be told without asking the network.

    ``named``: the operator's own hosts, as HOST or HOST:PORT. Raises Forbidden.
    """
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        raise Forbidden(f"A URL has at most {LONGEST} characters, of ASCII and without spaces.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _usual(parts.scheme)
    except ValueError as error:
        raise Forbidden(f"This is no URL: {error}.") from error
    if parts.scheme not in ("http", "https") or not host:
        raise Forbidden("The URL begins with https:// and a host’s name.")
    if parts.username is not None or parts.fragment:
        raise Forbidden("The URL has no user, no password and no “#”.")
    if _is_named(host, port, named):
        return parts
    if parts.scheme != "https":
        raise Forbidden("The URL begins with https://, so that nobody reads along.")
    if port not in PORTS:
        raise Forbidden(f"The port is {' or '.join(map(str, PORTS))}.")
    return parts


def _usual(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _is_named(host: str, port: int, named: Collection[str]) -> bool:
    shown = f"[{host}]" if ":" in host else host
    return shown in named or f"{shown}:{port}" in named


def target_of(url: str, named: Collection[str], resolve: Resolve | None = None) -> Target:
    """The URL with the address to connect to. Raises Forbidden if any address of the name is
    closed to webhooks, Unresolved if it has none."""
    parts = check_url(url, named)
    host, port = parts.hostname or "", parts.port or _usual(parts.scheme)
    addresses = (resolve or _in_time)(host, port)
    if not addresses:
        raise Unresolved(f"The name {host} has no address.")
    if not _is_named(host, port, named):
        for address in addresses:
            check_address(address)
    path = parts.path or "/"
    path = f"{path}?{parts.query}" if parts.query else path
    return Target(parts.scheme, host, port, path, addresses[0])


def check_address(text: str) -> None:
    """Raises Forbidden for an address that is not on the public internet."""
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    closed = (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or any(address in network for network in _CLOSED if network.version == address.version)
    )
    if closed:
        raise Forbidden(
            f"The name leads to {text}, which is not on the public internet. Whoever runs this"
            " installation can allow hosts of its own network (BERTH_WEBHOOK_HOSTS)."
        )


def _in_time(host: str, port: int) -> list[str]:
    """The name's addresses by the system's resolver, which knows no time-out of its own."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(_look_up, host, port).result(RESOLVE_SECONDS)
    except TooSlow as error:
        raise Unresolved(f"The name {host} was not resolved in time.") from error
    finally:
        pool.shutdown(wait=False)


def _look_up(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unresolved(f"The name {host} can’t be resolved.") from error
    return [str(entry[4][0]) for entry in found]
