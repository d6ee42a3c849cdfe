"""The shapes of the API, as JSON Schema (draft 2020-12, which OpenAPI 3.1 speaks)."""

from typing import Any

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """A reference to one of ``SCHEMAS``."""
    return {"$ref": f"#/components/schemas/{name}"}


def text(description: str = "", **more: Any) -> Schema:
    return _described({"type": "string", **more}, description)


def whole(description: str = "", **more: Any) -> Schema:
    return _described({"type": "integer", **more}, description)


def number(description: str = "", **more: Any) -> Schema:
    return _described({"type": "number", **more}, description)


def yes_or_no(description: str = "") -> Schema:
    return _described({"type": "boolean"}, description)


def listed(items: Schema, description: str = "") -> Schema:
    return _described({"type": "array", "items": items}, description)


def or_null(schema: Schema) -> Schema:
    """The schema, or null."""
    if "enum" in schema:
        schema = {**schema, "enum": [*schema["enum"], None]}
    if "type" in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def record(properties: dict[str, Schema], *optional: str, description: str = "") -> Schema:
    """An object that has all its properties but the ``optional`` ones."""
    required = [name for name in properties if name not in optional]
    schema = {"type": "object", "properties": properties, "required": required}
    return _described(schema, description)


def page(name: str) -> Schema:
    """A page of a list."""
    cursor = or_null(text("Send it back as `cursor` for the next page; null on the last one."))
    return record({"items": listed(ref(name)), "next": cursor})


def _described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description} if description else schema


SCALAR: Schema = {"type": ["string", "number", "boolean"]}
ANSWER: Schema = _described(SCALAR, "a number of a regression, a label of a classification")
MOMENT = text(format="date-time")
ARCHITECTURES = ["embedded", "dedicated", "published", "offline"]

_FIELD = {
    "name": text("The column's name in the pipeline, and the key in a row."),
    "type": text(enum=["number", "integer", "string", "boolean"]),
    "required": yes_or_no("Whether a row must have it. If not: its default, else null."),
    "nullable": yes_or_no("Whether the pipeline handles a missing value (null)."),
    "choices": or_null(listed(SCALAR, "What the training data showed, or a person listed.")),
    "minimum": or_null(number()),
    "maximum": or_null(number()),
    "default": {"type": ["string", "number", "boolean", "null"]},
    "label": text(),
    "help": text(),
    "unit": text(),
    "enforced": listed(
        text(enum=["choices", "range", "integer"]),
        "What refuses a value; everything else only warns.",
    ),
    "edited": listed(text(), "The attributes that a person set."),
}
_EDITABLE = [
    "label",
    "help",
    "unit",
    "choices",
    "minimum",
    "maximum",
    "default",
    "required",
    "enforced",
]
_OFFER = {"available": yes_or_no(), "reason": text("Why not, where it is not.")}
_BROWSER = record(
    {
        **_OFFER,
        "bytes": whole("Of the file that a page loads."),
        "gzip_bytes": whole("The same as it goes over the wire."),
        "sha256": text("The file's digest."),
        "lane": or_null(text("What runs it there.", enum=["light", "heavy"])),
        "light": record(
            {
                "rows": whole("Compared with the server's answers."),
                "worst": number("The largest difference, relative."),
                "mismatches": whole(),
                "closed": text("Why the light lane is not used."),
            },
            "rows",
            "worst",
            "mismatches",
            "closed",
        ),
    },
    "gzip_bytes",
    "sha256",
    "lane",
    "light",
)

_FIGURES = {
    "rows": whole("Compared, where they are fewer."),
    "worst": number("The largest difference: relative, or of a probability."),
    "mismatches": whole("Rows that differ by more than the tolerance."),
    "rows_per_second": whole("A thousand rows at a time, on one processor."),
    "calls": whole("Of one row, that were measured."),
    "p50_ms": number("Of one row, without the network."),
    "p99_ms": number("The 99th percentile."),
    "failed": text("Why it does not answer."),
    "closed": text("Why it is not offered."),
}
_WAY = record(_FIGURES, *_FIGURES)

SCHEMAS: dict[str, Schema] = {
    "Problem": record(
        {
            "type": text(
                "Says which problem it is; the address explains it.", format="uri-reference"
            ),
            "title": text(),
            "status": whole(),
            "detail": text("What is wrong this time, and often what to do."),
            "instance": text("The path that was asked.", format="uri-reference"),
            "request_id": text("As in the header X-Request-Id. Name it when you report a fault."),
            "errors": listed(ref("Fault"), "The parts of the input that are off."),
        },
        "errors",
        description="A refusal (RFC 9457).",
    ),
    "Fault": record(
        {
            "pointer": text("A JSON pointer (RFC 6901) to the part of the request."),
            "code": text("Stable, for programs."),
            "detail": text("One sentence, for people."),
        }
    ),
    "Model": record(
        {
            "slug": text("Its name in addresses."),
            "name": text(),
            "description": text(),
            "live_version": or_null(whole("The version that answers; null until one is promoted.")),
            "created": MOMENT,
            "created_by": text("The id of a key, or an e-mail address."),
        }
    ),
    "NewModel": record(
        {
            "slug": text(pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", examples=["salary"]),
            "name": text(minLength=1, maxLength=120, examples=["Salaries"]),
            "description": text(maxLength=10_000),
        },
        "description",
    ),
    "Version": record(
        {
            "model": text("The model's slug."),
            "number": whole("1 for the model's first upload."),
            "status": text(enum=["inspecting", "ready", "refused"]),
            "format": text(enum=["onnx", "skops", "joblib", "pickle"]),
            "sha256": text("Of the uploaded file."),
            "size": whole("Bytes of the uploaded file."),
            "signature": or_null(ref("Signature")),
            "report": ref("Report"),
            "refusal": or_null(ref("Refusal")),
            "filename": text(),
            "target": text("The sample's column that is predicted."),
            "notes": text(),
            "metrics": {"type": "object", "description": "What the uploader measured."},
            "derived_from": or_null(whole("The version whose signature was corrected into this.")),
            "created": MOMENT,
            "created_by": text(),
            "bundle_sha256": or_null(text("Of the sealed Bundle.")),
            "file_deleted": or_null(MOMENT),
        }
    ),
    "Refusal": record({"code": text(), "detail": text()}),
    "Signature": record({"inputs": listed(ref("Field")), "output": ref("Output")}),
    "Field": record(_FIELD),
    "Output": record(
        {
            "name": text(),
            "kind": text(enum=["regression", "classification"]),
            "labels": or_null(listed(SCALAR, "In the order of the probabilities.")),
            "unit": text(),
        }
    ),
    "Corrections": record(
        {
            "inputs": listed(
                record({"name": _FIELD["name"], **{n: _FIELD[n] for n in _EDITABLE}}, *_EDITABLE)
            )
        }
    ),
    "Report": record(
        {
            "stages": listed(ref("Stage")),
            "runtime": text(enum=["onnx", "native"]),
            "parity": record(
                {
                    "rows": whole("How many rows were compared."),
                    "max_relative_error": or_null(number()),
                    "mismatches": whole(),
                },
                "max_relative_error",
                "mismatches",
                description="The converted pipeline beside the pipeline itself.",
            ),
            "latency": record(
                {
                    "p50_ms": number("Of one row, by what is served."),
                    "native_p50_ms": number("Of one row, by the pipeline itself."),
                },
                "native_p50_ms",
            ),
            "why_native": record(
                {"code": text(), "detail": text()},
                description="Why there is no ONNX, where the runtime is native.",
            ),
            "own_code": {"type": "boolean", "description": "It runs code that its author wrote."},
            "sandbox": record(
                {"form": text(enum=["bubblewrap", "landlock", "process"])},
                description="What the file was opened in; see docs/sandbox.md.",
            ),
            "facts": {"type": "object", "description": "What the file says about itself."},
            "certificate": record(
                {
                    "rows": whole("Drawn from the signature, and answered each way."),
                    "passed": yes_or_no("Whether it can be promoted."),
                    "ways": {"type": "object", "additionalProperties": _WAY},
                    "of": whole("The version it was measured for, where this one is a correction."),
                },
                "of",
                description="The ways of deployment beside each other.",
            ),
            "architectures": record(
                {
                    **{name: record(_OFFER) for name in ARCHITECTURES},
                    "browser": _BROWSER,
                }
            ),
        },
        "runtime",
        "parity",
        "latency",
        "why_native",
        "own_code",
        "sandbox",
        "facts",
        "certificate",
        "architectures",
    ),
    "Stage": record(
        {
            "name": text(
                enum=[
                    "received",
                    "inspected",
                    "signature",
                    "converted",
                    "compared",
                    "sealed",
                    "certified",
                ]
            ),
            "status": text(enum=["running", "done", "failed"]),
            "detail": text(),
            "seconds": number(),
        }
    ),
    "Deployment": record(
        {
            "architecture": text(enum=ARCHITECTURES),
            "is_active": yes_or_no(),
            "available": yes_or_no("Whether this installation offers it."),
            "in_browser": yes_or_no("Whether widgets let the applicant's device answer."),
            "status": text("How it stands, in a sentence."),
        }
    ),
    "Rows": record(
        {
            "instances": listed(
                {"type": "object"}, "One object for each row: the signature's fields by name."
            ),
            "version": whole("A version's number; without it the live one answers."),
        },
        "version",
    ),
    "Columns": record(
        {
            "columns": {
                "type": "object",
                "additionalProperties": {"type": "array"},
                "description": "One list for each field, all equally long.",
            },
            "version": whole("A version's number; without it the live one answers."),
        },
        "version",
    ),
    "Predictions": record(
        {
            "id": text("A UUIDv7; row k of the call is addressed as `id/k`.", format="uuid"),
            "model": text(),
            "version": whole(),
            "predictions": listed(ANSWER, "In the order of the rows."),
            "probabilities": listed(
                listed({"type": "number"}), "Of a classification: for each row, one for each label."
            ),
            "labels": listed(SCALAR, "Of a classification: the order of the probabilities."),
            "warnings": listed(ref("Fault"), "Values outside what the sample showed."),
        },
        "probabilities",
        "labels",
        "warnings",
    ),
    "PredictionRecord": record(
        {
            "id": text(format="uuid"),
            "at": MOMENT,
            "model": text(),
            "version": whole(),
            "source": text("The id of the key that asked."),
            "rows": whole(),
            "milliseconds": number(),
            "request": {"type": "object", "description": "What was asked."},
            "response": ref("Predictions"),
        }
    ),
    "Job": record(
        {
            "id": text(format="uuid"),
            "model": text(),
            "version": whole(),
            "status": text(
                "`partial`: ended with rows that could not be scored.",
                enum=["queued", "running", "succeeded", "partial", "failed", "cancelled"],
            ),
            "rows_total": or_null(whole("Known once the file is read.")),
            "rows_done": whole("Rows that are done with."),
            "rows_failed": whole("Those among them that have an error."),
            "rows_erased": whole("Those among them that were erased since."),
            "started_at": or_null(MOMENT),
            "finished_at": or_null(MOMENT),
            "error": or_null(ref("Refusal")),
            "key": or_null(text("The name of the caller's own id column.")),
            "columns": {
                "type": "object",
                "additionalProperties": text(),
                "description": "By an input's name the file's column, once the file is read.",
            },
            "reading": ref("Reading"),
            "source": or_null(text("Where the file lay, if it was not sent.")),
            "retry_of": or_null(text("The job whose failed rows these are.", format="uuid")),
            "filename": text(),
            "size": whole(),
            "created": MOMENT,
            "created_by": text(),
        }
    ),
    "Erasure": record(
        {
            "id": text(format="uuid"),
            "status": text(enum=["pending", "done"]),
            "digest": text("The key's: HMAC-SHA256 under a secret of this installation."),
            "jobs": whole("Jobs in which the key was."),
            "rows": whole("Rows that were erased."),
            "jobs_left": whole("Jobs that are still to be gone through."),
            "created": MOMENT,
            "created_by": text(),
            "finished": or_null(MOMENT),
        }
    ),
    "JobRow": record(
        {
            "row": whole("Its place in the file, from 0."),
            "key": or_null(text()),
            "prediction": {"type": ["number", "string", "boolean", "null"]},
            "probability": or_null(number("Of a classification: the label's.")),
            "error": or_null(text()),
        },
        "probability",
    ),
}
