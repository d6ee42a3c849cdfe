"""One call of a webhook: to the address that was judged, and bounded in time and in bytes.

No redirect is followed (it could lead into the private network) and no proxy of the process's
environment is used: ``http.client`` knows of neither.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping
from functools import cache
from http.client import HTTPConnection, HTTPException

from workers.outgoing import Outcome
from workers.webhooks.guard import Forbidden, Resolve, Target, Unresolved, target_of

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
MOST_BYTES = 64 * 1024
GONE = 410


class _Pinned(HTTPConnection):
    """Connects to the target's address; certificate and Host are the name's."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port, timeout=CONNECT_SECONDS)
        self.default_port = 443 if target.scheme == "https" else 80
        self._target = target
        self.was_cut = False

    def connect(self) -> None:
        address = (self._target.address, self._target.port)
        self.sock = socket.create_connection(address, CONNECT_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._target.scheme == "https":
            # Known before it shakes hands, so that `cut` reaches one who takes for ever over it.
            wrapped = _trust().wrap_socket(
                self.sock, server_hostname=self._target.host, do_handshake_on_connect=False
            )
            self.sock = wrapped
            wrapped.do_handshake()
        self.sock.settimeout(TOTAL_SECONDS)

    def cut(self) -> None:
        """End whatever another thread does with it."""
        self.was_cut = True
        with contextlib.suppress(OSError, AttributeError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def call(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    named: frozenset[str],
    resolve: Resolve | None = None,
) -> Outcome:
    """POST the body. Any 2xx is success; 410 and an address that is closed to us are final."""
    try:
        target = target_of(url, named, resolve)
    except Forbidden as error:
        return Outcome(str(error), final=True)
    except Unresolved as error:
        return Outcome(str(error))
    connection = _Pinned(target)
    # Time-outs of sockets begin anew with each byte; this one does not.
    watch = threading.Timer(TOTAL_SECONDS, connection.cut)
    watch.daemon = True
    watch.start()
    try:
        connection.request("POST", target.path, body, dict(headers))
        answer = connection.getresponse()
        answer.read(MOST_BYTES)
    except (OSError, HTTPException, ValueError) as error:
        return Outcome("It did not answer in time." if connection.was_cut else _said(error))
    finally:
        watch.cancel()
        connection.close()
    return _judged(answer.status)


def _judged(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome(status=status)
    if 300 <= status < 400:
        return Outcome(f"It answered {status}; redirects are not followed.", status=status)
    return Outcome(f"It answered {status}.", final=status == GONE, status=status)


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"Its certificate does not hold: {error.verify_message}."
    if isinstance(error, TimeoutError):
        return "It did not answer in time."
    if isinstance(error, ConnectionRefusedError):
        return "It refused the connection."
    if isinstance(error, (OSError, HTTPException)):
        return f"The connection broke off or its answer can’t be read ({type(error).__name__})."
    return f"Its answer can’t be read ({type(error).__name__})."
