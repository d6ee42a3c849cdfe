"""What can be asked of the feeds, and the shapes of their lines."""

from typing import Any

from portal.openapi.building import FILE, Operation, answer, as_json, operation, query
from portal.openapi.schemas import (
    ARCHITECTURES,
    MOMENT,
    Schema,
    listed,
    number,
    or_null,
    record,
    ref,
    text,
    whole,
    yes_or_no,
)

_MANIFEST: dict[str, Schema] = {
    "schema": whole("1."),
    "organisation": text("The organisation's slug."),
    "organisation_id": text(format="uuid"),
    "offset": whole("Counts the organisation's lines from 1; the higher one holds."),
    "type": text(enum=["promoted", "rolled_back", "withdrawn", "activated", "retired"]),
    "model": text("The model's slug."),
    "version": or_null(whole("The live version; null where none is.")),
    "sha256": or_null(text("Of the live version's Bundle.")),
    "size": or_null(whole("Of the Bundle, in bytes.")),
    "address": or_null(text("Of the Bundle, below the portal's own.", format="uri-reference")),
    "runtime": or_null(text("`onnx`, or `native`: only the portal itself runs it.")),
    "signature": or_null(ref("Signature")),
    "architectures": listed(text(enum=ARCHITECTURES), "Where it is switched on and can run."),
    "at": MOMENT,
    "seal": text("Ed25519 by the installation's key, in base64; see docs/feed.md."),
}
_POSITION = {"position": whole("Counts the installation's lines from 1; not under the seal.")}


def _page(line: str) -> Schema:
    return record({"items": listed(ref(line)), "next": whole("Send it as `after` next time.")})


FEED_SCHEMAS: dict[str, Schema] = {
    "Manifest": record(_MANIFEST, description="A line of the feed: a model's whole standing."),
    "ServerManifest": record({**_POSITION, **_MANIFEST}),
    "FeedReport": record(
        {
            "subscriber": text("A name that stays the same.", maxLength=100),
            "kind": text(enum=["subscriber", "server"]),
            "berth": text("The release of the package berth."),
            "position": whole("How far it has read the feed."),
            "models": listed(ref("ReportedModel")),
        },
        "berth",
        "position",
    ),
    "ReportedModel": record(
        {
            "organisation": text("Of servers of the installation: the organisation's slug."),
            "model": text(),
            "offset": whole("Of the line that this is about."),
            "version": or_null(whole()),
            "sha256": or_null(text()),
            "status": text(enum=["applied", "refused", "retired"]),
            "code": text("Why it was refused, in a word."),
            "detail": text("Why it was refused, in a sentence."),
            "at": or_null(text(format="date-time")),
            "seconds": or_null(number("That it took to apply it.")),
        },
        "organisation",
        "version",
        "sha256",
        "code",
        "detail",
        "at",
        "seconds",
    ),
    "KeyLine": record(
        {
            **_POSITION,
            "key": text("The key's id."),
            "organisation": text(),
            "organisation_id": text(format="uuid"),
            "kind": text(enum=["secret", "publishable"]),
            "digest": text("SHA-256 of the key's text, in hexadecimal."),
            "scopes": listed(text()),
            "calls_per_minute": whole(),
            "organisation_calls_per_minute": whole(),
            "revoked": yes_or_no(),
        }
    ),
}

_SERVER = "For model servers: a token `st_…` of the installation, or a key."
_WAIT = query("wait", number(minimum=0, maximum=30, default=0), "Seconds to wait for news.")


def _places(limit: int) -> list[Any]:
    return [
        query("after", whole(minimum=0, default=0), "The `next` of the answer before."),
        _WAIT,
        query("limit", whole(minimum=1, maximum=1_000, default=limit), "Lines at most."),
    ]


_REPORT = {
    "subscriber": "careers-1",
    "kind": "subscriber",
    "berth": "0.1.0",
    "position": 12,
    "models": [
        {
            "model": "salary",
            "offset": 12,
            "version": 3,
            "sha256": "0" * 64,
            "status": "applied",
            "code": "",
            "detail": "",
            "at": "2026-11-24T18:00:00Z",
            "seconds": 0.4,
        }
    ],
}

FEEDS: dict[str, dict[str, Operation]] = {
    "/feed": {
        "get": operation(
            "followFeed", "Feed", "read", "Follow the model feed",
            {"200": answer("Lines, in order; none when there is no news.", _page("Manifest"))},
            409, 422, 503,
            parameters=_places(100),
            more="Waits for news where `wait` says so, and answers as soon as there are any.",
        ),
    },
    "/feed/reports": {
        "post": operation(
            "reportSubscriber", "Feed", "read", "Say what your application applied or refused",
            {"204": {"description": "It is kept, and shown on the models' pages."}},
            400, 413, 415, 422,
            body=as_json(ref("FeedReport"), example=_REPORT),
            more="Every ten seconds and at each change. The scope `serve` will do too.",
        ),
    },
    "/server/reports": {
        "post": operation(
            "reportServer", "Feed", "serve", "Say what a model server applied or refused",
            {"204": {"description": "It is kept, and shown on the models' pages."}},
            400, 413, 415, 422,
            body=as_json(ref("FeedReport"), example={**_REPORT, "kind": "server"}),
            more=_SERVER,
        ),
    },
    "/server/predictions": {
        "post": operation(
            "shipPredictions", "Feed", "serve", "Ship a journal of answered predictions",
            {"204": {"description": "It is on disk here: delete yours."}},
            413, 415, 422, 429, 503,
            body={"application/x-berth-journal": {"schema": FILE}},
            parameters=[{"name": "X-Journal-Name", "in": "header", "required": True,
                         "schema": text("The file's name.", format="uuid")}],
            more=f"{_SERVER} Sent twice is kept once.",
        ),
    },
    "/bundles/{sha256}": {
        "get": operation(
            "getBundle", "Feed", "read", "Fetch a Bundle",
            {
                "200": {"description": "The file.", "content": {"application/octet-stream": {
                    "schema": FILE}}},
                "206": {"description": "The part that `Range` asks for.", "content": {
                    "application/octet-stream": {"schema": FILE}}},
                "304": {"description": "It is the one that `If-None-Match` names."},
            },
            404, 416, 503,
            more="It never changes, so it may be kept; its ETag is its SHA-256. One range of bytes"
            " is taken, with `If-Range`, so that a fetch that broke off can go on. The scope"
            " `serve` and a server's token will do too.",
        ),
    },
    "/server/models": {
        "get": operation(
            "followModels", "Feed", "serve", "Follow the model feed of the installation",
            {"200": answer("Lines, in order.", _page("ServerManifest"))}, 409, 422, 503,
            parameters=[*_places(100), query("compact", whole(enum=[0, 1], default=0),
                                             "1 leaves out lines that a newer one supersedes.")],
            more=_SERVER,
        ),
    },
    "/server/keys": {
        "get": operation(
            "followKeys", "Feed", "serve", "Follow what becomes of keys",
            {"200": answer("Lines, in order.", _page("KeyLine"))}, 409, 422, 503,
            parameters=_places(1_000),
            more=f"{_SERVER} Keys are known by their digests alone.",
        ),
    },
    "/server/public-key": {
        "get": operation(
            "getPublicKey", "Feed", "read", "Show the key that Bundles and lines are signed with",
            {"200": answer("The installation's public key.", record(
                {"ed25519": text("32 bytes in base64.")}))},
            more="The scope `serve` and a server's token will do too.",
        ),
    },
}  # fmt: skip
