"""The API's description, OpenAPI 3.1.

Written down rather than derived: the views have no serializers to derive it from. Tests hold it
to the routes (all of them, nothing else) and to real answers.
"""

import functools
import re
from typing import Any

from portal.access import DESCRIPTIONS, KEY_SCOPES
from portal.openapi.feeds import FEED_SCHEMAS
from portal.openapi.intake import SCHEMAS as INTAKE_SCHEMAS
from portal.openapi.operations import PARAMETERS, PATH_PARAMETERS, PATHS
from portal.openapi.problems import PROBLEMS, TITLES
from portal.openapi.recurring import RECURRING_SCHEMAS
from portal.openapi.schemas import SCHEMAS, ref, text, whole

__all__ = ["PROBLEMS", "TITLES", "document"]

TAGS = ("Models", "Versions", "Predictions", "Jobs", "Recurring jobs", "Webhooks", "Feed")
_DESCRIPTION = """\
Host trained prediction pipelines: upload, promote, predict live, score files.

**Keys.** Send a secret key as `Authorization: Bearer sk_…`. A key has scopes, and each call
below names the one it needs; calls that change something need `read` beside it:

{scopes}

**Errors** are `application/problem+json` (RFC 9457). Their `type` is explained at
[/api/problems](/api/problems), and their `errors` point at the parts of the input that are off.
What is not yours answers as what does not exist: 404.

**Lists** come in pages: send `next` back as `cursor` until it is null.

**Repeats.** A POST that creates or predicts takes an `Idempotency-Key`.
"""


@functools.cache
def document() -> dict[str, Any]:
    """The whole OpenAPI document. Shared: don't change it."""
    scopes = "\n".join(f"- `{scope}`: {DESCRIPTIONS[scope]}" for scope in KEY_SCOPES)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Berth",
            "version": "1",
            "description": _DESCRIPTION.format(scopes=scopes),
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"key": []}],
        "tags": [{"name": name} for name in TAGS],
        "paths": {path: {**_in_path(path), **methods} for path, methods in PATHS.items()},
        "components": {
            "schemas": {**SCHEMAS, **INTAKE_SCHEMAS, **RECURRING_SCHEMAS, **FEED_SCHEMAS},
            "parameters": PARAMETERS,
            "responses": {str(status): _refusal(status) for status in TITLES},
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "sk_…",
                    "description": "A secret key of the organisation.",
                }
            },
        },
    }


def _in_path(path: str) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", path)
    found = [
        {"name": name, "in": "path", "required": True, "schema": PATH_PARAMETERS[name]}
        for name in names
    ]
    return {"parameters": found} if found else {}


def _refusal(status: int) -> dict[str, Any]:
    codes = [code for code, about in PROBLEMS.items() if about.status == status]
    example = {
        "type": f"/api/problems/{codes[0]}",
        "title": TITLES[status],
        "status": status,
        "detail": PROBLEMS[codes[0]].meaning,
        "instance": "/api/v1/models/salary/predict",
        "request_id": "01a20a3f-4ab1-765f-a86b-b01be724874d",
    }
    if status == 422:
        detail = '"education" must be a number, but it is "12". Send one such as 12.5.'
        fault = {"pointer": "/instances/0/education", "code": "wrong_type", "detail": detail}
        example |= {"detail": detail, "errors": [fault]}
    refusal: dict[str, Any] = {
        "description": f"{TITLES[status]}. Types: " + ", ".join(f"`{code}`" for code in codes),
        "content": {"application/problem+json": {"schema": ref("Problem"), "example": example}},
    }
    if headers := _HEADERS.get(status):
        refusal["headers"] = headers
    return refusal


_WAIT = {"Retry-After": {"schema": whole("Seconds.")}}
_HEADERS = {
    401: {"WWW-Authenticate": {"schema": text()}},
    405: {"Allow": {"schema": text()}},
    429: _WAIT,
    503: _WAIT,
}
