"""Sites that may show a widget: origins as browsers write them (RFC 6454, section 6.2)."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from berth.signature import Problem
from portal.errors import Invalid

MOST_ORIGINS = 20
_HOST = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_DEFAULT_PORTS = {"https": 443, "http": 80}


def read_origins(lines: Iterable[str]) -> list[str]:
    """The origins, each once and in one spelling. Raises Invalid with every line that is none."""
    origins: dict[str, None] = {}
    problems: list[Problem] = []
    for line in filter(None, map(str.strip, lines)):
        try:
            origins[read_origin(line)] = None
        except ValueError as error:
            problems.append(Problem("/origins", "bad_origin", str(error)))
    if len(origins) > MOST_ORIGINS:
        detail = f"A widget has at most {MOST_ORIGINS} sites, these are {len(origins)}."
        problems.append(Problem("/origins", "too_many", detail))
    if problems:
        raise Invalid(problems[0].detail, errors=problems)
    return list(origins)


def read_origin(text: str) -> str:
    """``scheme://host[:port]`` of a site. Raises ValueError with a sentence for people."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"“{text}” is no site: {error}.") from error
    origin = _origin(parts.scheme.lower(), parts.hostname or "", port, text)
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"Give only the site, without what follows it: {origin}")
    return origin


def origin_of(address: str) -> str:
    """The origin of a page's address; empty where it has none."""
    try:
        parts = urlsplit(address)
        return _origin(parts.scheme.lower(), parts.hostname or "", parts.port, address)
    except ValueError:
        return ""


def _origin(scheme: str, hostname: str, port: int | None, text: str) -> str:
    if scheme not in _DEFAULT_PORTS or not hostname:
        raise ValueError(f"“{text}” is no site. Write it like https://careers.example.com")
    host = _host(hostname, text)
    if scheme == "http" and host not in _LOOPBACK:
        raise ValueError(f"“{text}” must begin with https://; http:// is for localhost only.")
    return f"{scheme}://{host}" + ("" if port in (None, _DEFAULT_PORTS[scheme]) else f":{port}")


def _host(hostname: str, text: str) -> str:
    if hostname == "::1":
        return "[::1]"
    try:
        host = hostname.encode("idna").decode().lower()
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host):
        raise ValueError(f"“{text}” is no site: its host can't be read. Name each site by itself.")
    return host
