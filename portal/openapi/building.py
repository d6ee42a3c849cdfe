"""The parts that operations are put together from."""

from typing import Any

from portal.openapi.schemas import Schema, text

Operation = dict[str, Any]
FILE = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}


def as_json(schema: Schema, **more: Any) -> Any:
    return {"application/json": {"schema": schema, **more}}


def refusals(*statuses: int) -> dict[str, Any]:
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses}


def answer(description: str, schema: Schema, *, location: bool = False, **more: Any) -> Any:
    found: dict[str, Any] = {"description": description, "content": as_json(schema, **more)}
    if location:
        found["headers"] = {"Location": {"schema": text(format="uri-reference")}}
    return found


def query(name: str, schema: Schema, description: str) -> Any:
    return {"name": name, "in": "query", "schema": schema, "description": description}


PAGING = [{"$ref": "#/components/parameters/cursor"}, {"$ref": "#/components/parameters/limit"}]
ONCE = [{"$ref": "#/components/parameters/idempotency_key"}]


def operation(
    name: str,
    tag: str,
    scope: str,
    summary: str,
    answers: dict[str, Any],
    *statuses: int,
    body: Any = None,
    parameters: list[Any] | None = None,
    more: str = "",
) -> Operation:
    described: Operation = {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": f"{more} Scope: `{scope}`.".strip(),
        "responses": {**answers, **refusals(401, 403, *statuses)},
    }
    if body:
        described["requestBody"] = {"required": True, "content": body}
    if parameters:
        described["parameters"] = parameters
    return described
