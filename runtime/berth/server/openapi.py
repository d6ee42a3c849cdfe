"""The server's own OpenAPI document, at `/v2/openapi.json`.

The schemas follow kserve/open-inference-protocol, specification/protocol/open_inference_rest.yaml,
with what that leaves out: addresses without a version, statuses other than 200, and the errors.
"""

from collections.abc import Mapping
from typing import Any

from berth import __version__
from berth.server.datatypes import KNOWN

Schema = Mapping[str, Any]
_TEXT: Schema = {"type": "string"}
_STATUSES = {
    "400": "The request can't be read, or doesn't fit the model.",
    "401": "The key is missing, unknown or revoked.",
    "403": "The key may not predict.",
    "404": "There is no such model or version, or it is another organisation's.",
    "405": "The address has no such method.",
    "411": "The body's length is missing.",
    "413": "The body is too large.",
    "415": "The body is of another type or encoding.",
    "429": "The limit of calls is reached; Retry-After says for how long.",
    "503": "Not ready, or the answer can't be put on record.",
}


def _object(required: tuple[str, ...], **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


_PARAMETERS: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
_SHAPE = _list({"type": "integer"})
_DATATYPE: Schema = {"type": "string", "enum": list(KNOWN)}
_SCHEMAS: Schema = {
    "error": _object(("error",), error=_TEXT),
    "server": _object(
        ("name", "version", "extensions"), name=_TEXT, version=_TEXT, extensions=_list(_TEXT)
    ),
    "live": _object(("live",), live={"type": "boolean"}),
    "ready": _object(("live", "ready"), live={"type": "boolean"}, ready={"type": "boolean"}),
    "model_ready": _object(("name", "ready"), name=_TEXT, ready={"type": "boolean"}),
    "tensor": _object(("name", "datatype", "shape"), name=_TEXT, datatype=_DATATYPE, shape=_SHAPE),
    "model": _object(
        ("name", "platform", "inputs", "outputs"),
        name=_TEXT,
        versions=_list(_TEXT),
        platform=_TEXT,
        inputs=_list(_ref("tensor")),
        outputs=_list(_ref("tensor")),
        properties={"type": "object", "additionalProperties": _TEXT},
    ),
    "data": _list({"type": ["number", "string", "boolean", "null", "array"]}),
    "input": _object(
        ("name", "shape", "datatype"),
        name=_TEXT,
        shape=_list({"type": "integer", "minimum": 0}, minItems=1, maxItems=2),
        datatype=_DATATYPE,
        parameters=_PARAMETERS,
        data=_ref("data"),
    ),
    "request": _object(
        ("inputs",),
        id=_TEXT,
        parameters=_PARAMETERS,
        inputs=_list(_ref("input"), minItems=1),
        outputs=_list(_object(("name",), name=_TEXT, parameters=_PARAMETERS)),
    ),
    "output": _object(
        ("name", "shape", "datatype"),
        name=_TEXT,
        shape=_SHAPE,
        datatype=_DATATYPE,
        parameters=_PARAMETERS,
        data=_ref("data"),
    ),
    "answer": _object(
        ("model_name", "outputs"),
        model_name=_TEXT,
        model_version=_TEXT,
        id=_TEXT,
        parameters=_PARAMETERS,
        outputs=_list(_ref("output")),
    ),
}


def document() -> dict[str, Any]:
    """The whole document; the same at each call."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Berth model server",
            "version": __version__,
            "description": "The Open Inference Protocol v2 over REST.",
        },
        "paths": _paths(),
        "components": {
            "schemas": dict(_SCHEMAS),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> dict[str, Any]:
    paths = {
        "/v2": {"get": _get("Server metadata", "server")},
        "/v2/": {"get": _get("Server metadata", "server")},
        "/v2/health/live": {"get": _get("Is the server up?", "live")},
        "/v2/health/ready": {"get": _get("Can the server predict?", "ready", "503")},
    }
    for suffix, names in {"": ("model",), "/versions/{version}": ("model", "version")}.items():
        at = f"/v2/models/{{model}}{suffix}"
        common: dict[str, Any] = {"parameters": [_in_path(name) for name in names]}
        known = ("401", "403", "404")
        paths[at] = {**common, "get": _get("Model metadata", "model", *known)}
        ready = _get("Can the model predict?", "model_ready", *known, "503")
        paths[f"{at}/ready"] = {**common, "get": ready}
        paths[f"{at}/infer"] = {**common, "post": _infer()}
    return paths


def _in_path(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT}


def _get(summary: str, schema: str, *refusals: str) -> dict[str, Any]:
    secured: Schema = {"security": [{"key": []}]} if "401" in refusals else {}
    responses = {"200": _answer("OK", _ref(schema)), **_refusals(*refusals)}
    return {"summary": summary, **secured, "responses": responses}


def _infer() -> dict[str, Any]:
    """Binary data can't be described by a schema: the whole body is one."""
    binary: Schema = {"application/octet-stream": {"schema": {"type": "string"}}}
    answer = _answer("The predictions.", _ref("answer"))
    return {
        "summary": "Predict",
        "security": [{"key": []}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref("request")}},
        },
        "responses": {
            "200": {**answer, "content": {**answer["content"], **binary}},
            **_refusals("400", "401", "403", "404", "411", "413", "415", "429", "503"),
        },
    }


def _refusals(*statuses: str) -> dict[str, Any]:
    return {status: _answer(_STATUSES[status], _ref("error")) for status in statuses}


def _answer(description: str, schema: Schema) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
