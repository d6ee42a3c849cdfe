"""No webhook finds a way into the network that Berth runs in."""

import socket
import ssl
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.webhooks.receiver import Receiver, receiving, status
from workers.outgoing import Outcome
from workers.webhooks import calling, guard
from workers.webhooks.guard import Forbidden, check_address, check_url, target_of

PUBLIC = "93.184.216.34"
CLOSED = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # the metadata of most clouds
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",  # a cloud's metadata
    "168.63.129.16",  # a cloud's host
    "192.0.0.192",  # a cloud's metadata
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "203.0.113.7",
    "224.0.0.251",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::5db8:d822",
    "2002:7f00:1::1",
    "2001:0:53aa:64c:0:fffe:80ff:fffe",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",  # a cloud's metadata
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "100::1",
]
NAMED: frozenset[str] = frozenset()


@pytest.mark.parametrize("address", CLOSED)
def test_an_address_that_is_not_on_the_public_internet_is_refused(address: str) -> None:
    with pytest.raises(Forbidden, match="not on the public internet"):
        check_address(address)


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_a_public_address_is_taken(address: str) -> None:
    check_address(address)


@given(st.ip_addresses(v=4, network="10.0.0.0/8"))
def test_however_an_ipv4_address_is_wrapped_it_is_judged_as_what_it_is(address: object) -> None:
    for form in (f"{address}", f"::ffff:{address}", f"64:ff9b::{address}"):
        with pytest.raises(Forbidden):
            check_address(form)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://example.com:22/",
        "https://example.com:6379/",
        "https://user:secret@example.com/",
        "https://example.com/#x",
        "https:///path",
        "https://exämple.com/",
        "https://example.com/a b",
        "https://example.com:x/",
        "https://[::1/",
        "//example.com/",
        "https://example.com/\r\nX: y",
        "https://example.com/" + "x" * 500,
    ],
)
def test_a_url_that_is_never_called_is_refused_at_once(url: str) -> None:
    with pytest.raises(Forbidden):
        check_url(url, NAMED)


@pytest.mark.parametrize("url", ["https://example.com/x?y=1", "https://example.com:8443"])
def test_a_url_on_the_public_internet_is_taken(url: str) -> None:
    check_url(url, NAMED)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "017700000001", "[::1]", "localhost"]
)
def test_every_way_to_write_this_machine_is_refused(host: str) -> None:
    with pytest.raises((Forbidden, guard.Unresolved)):
        target_of(f"https://{host}/", NAMED)


def test_one_closed_address_among_public_ones_is_enough() -> None:
    with pytest.raises(Forbidden):
        target_of("https://two.example/", NAMED, lambda host, port: [PUBLIC, "10.0.0.1"])


def test_a_name_is_asked_once_and_the_address_that_was_judged_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that points into the network as soon as it was judged (DNS rebinding)."""
    asked: list[str] = []
    called: list[tuple[str, int]] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return [PUBLIC] if len(asked) == 1 else ["127.0.0.1"]

    def connect(address: tuple[str, int], seconds: float) -> socket.socket:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    outcome = calling.call("https://rebinding.example/", b"{}", {}, NAMED, rebinding)
    assert outcome == Outcome("It refused the connection.")
    assert asked == ["rebinding.example"]
    assert called == [(PUBLIC, 443)]


def test_a_closed_address_is_not_called_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "create_connection", pytest.fail)
    outcome = calling.call("https://inside.example/", b"{}", {}, NAMED, lambda *_: ["10.0.0.1"])
    assert outcome.final
    assert "10.0.0.1" in outcome.error


def post(receiver: Receiver) -> Outcome:
    return calling.call(receiver.url, b"{}", {}, frozenset([receiver.host]))


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_a_host_that_the_operator_named_is_called_by_plain_http(server: Receiver) -> None:
    assert post(server).status == 204
    assert (server.got[0].path, server.got[0].headers["host"]) == ("/hooks?of=berth", server.host)
    with pytest.raises(Forbidden):
        target_of(server.url, frozenset(["127.0.0.1:1"]))


def test_a_redirect_is_not_followed(server: Receiver) -> None:
    server.answers = [status(302, Location=server.url), status(204)]
    outcome = post(server)
    assert (outcome.status, outcome.final) == (302, False)
    assert len(server.got) == 1


def test_a_proxy_of_the_environment_is_not_used(
    server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert post(server).status == 204


def test_an_answer_that_drips_is_cut_off(server: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte starts a socket's time-out anew; the whole call has one of its own."""
    monkeypatch.setattr(calling, "TOTAL_SECONDS", 0.5)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        while not server.over.wait(0.05):
            try:
                handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                handler.wfile.flush()
            except OSError:
                return

    server.answers = [drip]
    assert post(server).error == "It did not answer in time."


def test_a_body_without_end_is_not_read_to_it(
    server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = 0

    def pour(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        try:
            while sent < 1 << 30:
                sent += handler.wfile.write(b"x" * 65_536)
        except OSError:
            handler.close_connection = True

    server.answers = [pour]
    assert post(server).status == 200
    time.sleep(0.1)
    assert sent < 64 * 1024**2


def test_what_is_no_http_is_a_failure(server: Receiver) -> None:
    server.answers = [lambda handler: void(handler.wfile.write(b"SSH-2.0-OpenSSH_9\r\n"))]
    assert "can’t be read" in post(server).error


def void(_: object) -> None:
    """Callers want nothing back."""


def test_a_certificate_that_nobody_vouches_for_is_refused(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with receiving(context) as receiver:
        assert "certificate" in post(receiver).error
        assert receiver.got == []
        trusting = ssl.create_default_context(cafile=str(certificate))
        monkeypatch.setattr(calling, "_trust", lambda: trusting)
        assert post(receiver).status == 204
