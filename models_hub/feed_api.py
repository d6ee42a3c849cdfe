"""``/api/v1``: the feeds of models and keys, and the Bundles that they name."""

import base64
from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from models_hub import feed, sealing
from portal.access import Permission
from portal.api import ApiView, ServerView
from portal.errors import Invalid
from portal.feeds import Feed
from portal.paging import limit_of
from portal.ranges import answer
from portal.servers import Server
from portal.tenancy import scope
from portal.waiting import LONGEST_WAIT, look_until


class FeedView(ApiView):
    """``GET /feed``"""

    in_scope = False  # a poll that waits holds no transaction

    def get(self, request: Request) -> Response:
        after, wait, limit = _after(request), _wait(request), limit_of(request, 100)
        self.caller.require(Permission.READ)

        def look() -> feed.Page:
            with scope(self.caller.organisation_id):
                return feed.models_for(self.caller, after, limit)

        who = str(self.caller.organisation_id)
        return Response(look_until(f"{Feed.MODELS} {who}", wait, look, who).to_json())


class ServerModelsView(ServerView):
    """``GET /server/models``"""

    def get(self, request: Request) -> Response:
        after, wait, limit = _after(request), _wait(request), limit_of(request, 100)
        compact = request.query_params.get("compact") == "1"

        def look() -> feed.Page:
            with self.server.reach():
                return feed.models_for_server(self.server, after, limit, compact=compact)

        return _answer(self.server, Feed.MODELS, wait, look)


class ServerKeysView(ServerView):
    """``GET /server/keys``"""

    def get(self, request: Request) -> Response:
        after, wait, limit = _after(request), _wait(request), limit_of(request, 1_000)

        def look() -> feed.Page:
            with self.server.reach():
                return feed.keys_for_server(self.server, after, limit)

        return _answer(self.server, Feed.KEYS, wait, look)


class PublicKeyView(ServerView):
    """``GET /server/public-key``"""

    enough = frozenset({Permission.READ, Permission.SERVE})

    def get(self, request: Request) -> Response:
        raw = sealing.signing_key().public_key().public_bytes_raw()
        return Response({"ed25519": base64.b64encode(raw).decode()})


class BundleView(ServerView):
    """``GET`` and ``HEAD /bundles/{sha256}``"""

    enough = frozenset({Permission.READ, Permission.SERVE})

    def get(self, request: Request, sha256: str) -> HttpResponseBase:
        found = feed.get_bundle_for(self.server, sha256)
        return answer(request.META, str(request.method), found.size, sha256, found.pieces)


def _answer(server: Server, name: Feed, wait: float, look: Callable[[], feed.Page]) -> Response:
    own = server.organisation_id
    who, topic = str(own or server.id), f"{name}{server.topic}"
    return Response(look_until(topic, wait, look, who, is_server=own is None).to_json())


def _after(request: Request) -> int:
    text = request.query_params.get("after", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Invalid.field("after", "out_of_range", "“after” is a number from a “next” of ours.")
    return int(text)


def _wait(request: Request) -> float:
    text: Any = request.query_params.get("wait", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_WAIT:
        detail = f"“wait” is a number of seconds from 0 to {LONGEST_WAIT:.0f}."
        raise Invalid.field("wait", "out_of_range", detail)
    return seconds
