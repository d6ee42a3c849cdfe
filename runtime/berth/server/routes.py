"""Which address is which call. Addresses are few and fixed, so this is a look-up, no pattern."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from berth.server.errors import ProtocolError

_LONGEST = 512  # letters
READ, ASK = ("GET", "HEAD"), ("POST",)
_FIXED: Mapping[str, str] = {
    "/v2": "server",
    "/v2/": "server",
    "/v2/health/live": "live",
    "/v2/health/ready": "ready",
    "/v2/openapi.json": "openapi",
    "/metrics": "metrics",
}
_OF_MODEL: Mapping[tuple[str, ...], str] = {
    (): "model",
    ("ready",): "model_ready",
    ("infer",): "infer",
}


@dataclass(frozen=True, slots=True)
class Route:
    """An address: its name (which metrics use, too), and the model and version in it."""

    name: str
    model: str = ""
    version: str | None = None


def find(path: str) -> Route:
    """The route of a path. Raises ProtocolError 404."""
    if len(path) > _LONGEST:  # none of ours, and nothing to remember
        raise _nothing()
    return _found(path)


@lru_cache(4_096)
def _found(path: str) -> Route:
    fixed = _FIXED.get(path)
    if fixed is not None:
        return Route(fixed)
    if path.startswith("/v2/models/"):
        model, *rest = path[11:].split("/")
        version = None
        if len(rest) > 1 and rest[0] == "versions":
            version, rest = unquote(rest[1]), rest[2:]
        name = _OF_MODEL.get(tuple(rest))
        if name is not None and model and version != "":
            return Route(name, unquote(model), version)
    raise _nothing()


def _nothing() -> ProtocolError:
    return ProtocolError(404, "There is nothing at this address.")


def check_method(route: Route, method: str) -> None:
    """Raises ProtocolError 405, which names the methods that there are."""
    allowed = ASK if route.name == "infer" else READ
    if method not in allowed:
        allow = ", ".join(allowed)
        raise ProtocolError(405, f"This address takes {allow}.", ("allow", allow))
