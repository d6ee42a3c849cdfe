"""What can be asked of the API: every path and method, once."""

from typing import Any

from portal.openapi.building import FILE, ONCE, PAGING, Operation, answer, as_json, operation, query
from portal.openapi.feeds import FEEDS
from portal.openapi.intake import ORDER
from portal.openapi.recurring import SCHEDULES, WEBHOOKS
from portal.openapi.schemas import (
    ARCHITECTURES,
    Schema,
    page,
    record,
    ref,
    text,
    whole,
    yes_or_no,
)

MODEL_ROW = {"education": 12, "experience": 10.5, "region": "east"}


MODELS: dict[str, dict[str, Operation]] = {
    "/models": {
        "get": operation(
            "listModels", "Models", "read", "List models",
            {"200": answer("A page of models, by slug.", page("Model"))}, 422,
            parameters=PAGING,
        ),
        "post": operation(
            "createModel", "Models", "publish", "Make a model",
            {"201": answer("The model.", ref("Model"), location=True)}, 400, 409, 413, 415, 422,
            body=as_json(ref("NewModel"), example={"slug": "salary", "name": "Salaries"}),
            parameters=ONCE,
        ),
    },
    "/models/{slug}": {
        "get": operation(
            "getModel", "Models", "read", "Show a model",
            {"200": answer("The model.", ref("Model"))}, 404,
        ),
    },
    "/models/{slug}/versions": {
        "get": operation(
            "listVersions", "Versions", "read", "List a model's versions",
            {"200": answer("A page of versions, the newest first.", page("Version"))}, 404, 422,
            parameters=PAGING,
        ),
        "post": operation(
            "uploadVersion", "Versions", "publish", "Upload a pipeline",
            {"202": answer("It is stored, and being inspected: ask its Location.",
                            ref("Version"), location=True)},
            400, 404, 413, 415, 422,
            body={"multipart/form-data": {"schema": record(
                {
                    "artifact": {**FILE, "description": "`.joblib`, `.pkl`, `.skops` or `.onnx`."},
                    "sample": {**FILE, "description": "CSV or Parquet of real rows."},
                    "target": text("The sample's column to predict.", maxLength=200),
                    "notes": text(maxLength=10_000),
                    "metrics": text("A JSON object, as a field or a file.",
                                    contentMediaType="application/json"),
                },
                "sample", "target", "notes", "metrics",
            )}},
            parameters=ONCE,
        ),
    },
    "/models/{slug}/versions/{number}": {
        "get": operation(
            "getVersion", "Versions", "read", "Show a version",
            {"200": answer("The version.", ref("Version"))}, 404,
        ),
        "delete": operation(
            "deleteRefusedVersion", "Versions", "publish", "Delete a refused version's files",
            {"200": answer("The version, which stays.", ref("Version"))}, 404, 409,
            more="The uploaded file and its sample go; the version, its report and the audit log"
            " stay.",
        ),
    },
    "/models/{slug}/versions/{number}/signature": {
        "post": operation(
            "correctSignature", "Versions", "publish", "Correct a signature",
            {"201": answer("The new version.", ref("Version"), location=True)},
            400, 404, 409, 413, 415, 422,
            body=as_json(ref("Corrections"), example={
                "inputs": [{"name": "education", "label": "Years of school", "maximum": 25}]}),
            parameters=ONCE,
            more="A version never changes: the corrected signature is sealed as the next version.",
        ),
    },
    "/models/{slug}/versions/{number}/promote": {
        "post": operation(
            "promoteVersion", "Versions", "publish", "Make a version the live one",
            {"200": answer("The model.", ref("Model"))}, 404, 409,
        ),
    },
    "/models/{slug}/rollback": {
        "post": operation(
            "rollBack", "Versions", "publish", "Go back to the version that was live before",
            {"200": answer("The model.", ref("Model"))}, 404, 409, 422, parameters=ONCE,
        ),
    },
    "/models/{slug}/withdraw": {
        "post": operation(
            "withdrawModel", "Versions", "publish", "Take the live version back",
            {"200": answer("The model, with nothing live.", ref("Model"))}, 404, 409, 422,
            parameters=ONCE,
            more="Nothing is deleted; a roll-back undoes it.",
        ),
    },
    "/models/{slug}/deployments/{architecture}": {
        "put": operation(
            "setDeployment", "Models", "publish", "Switch an architecture on or off",
            {"200": answer("The deployment.", ref("Deployment"))}, 400, 404, 409, 413, 415, 422,
            body=as_json(
                record({"is_active": yes_or_no(),
                        "in_browser": yes_or_no("Of embedded alone: widgets let the applicant's "
                                                "device answer; the model's file is public then.")},
                       "in_browser"),
                example={"is_active": True, "in_browser": True},
            ),
        ),
    },
}  # fmt: skip

PREDICTIONS: dict[str, dict[str, Operation]] = {
    "/models/{slug}/predict": {
        "post": operation(
            "predict", "Predictions", "predict", "Predict",
            {"200": answer("The predictions, on record before they are sent.", ref("Predictions"),
                            example={"id": "01a20a3f-4ab1-765f-a86b-b01be724874d",
                                     "model": "salary", "version": 1, "predictions": [612.4]})},
            400, 404, 409, 413, 415, 422, 429, 503,
            body=as_json({"oneOf": [ref("Rows"), ref("Columns")]}, examples={
                "rows": {"value": {"instances": [MODEL_ROW]}},
                "columns": {"value": {"columns": {k: [v, v] for k, v in MODEL_ROW.items()}}},
                "a version": {"value": {"instances": [MODEL_ROW], "version": 2}},
            }),
            parameters=ONCE,
            more="Rows or columns in, one prediction for each row out. 12 and 12.0 are the same;"
            " a value outside what the sample showed is answered with a warning.",
        ),
    },
    "/predictions/{id}": {
        "get": operation(
            "getPrediction", "Predictions", "read", "Show what was asked and answered",
            {"200": answer("The record, there within seconds of the call.",
                            ref("PredictionRecord"))}, 404,
        ),
    },
}  # fmt: skip

JOBS: dict[str, dict[str, Operation]] = {
    "/models/{slug}/jobs": {
        "post": operation(
            "submitJob", "Jobs", "jobs", "Score a file, or try how it would go",
            {"202": answer("The job, queued: ask its Location.", ref("Job"), location=True),
             "200": answer("Of a dry run: what the job would come to. Nothing is stored.",
                           ref("DryRun"))},
            400, 404, 409, 413, 415, 422, 503,
            body={
                "multipart/form-data": {"schema": record(
                    {
                        "file": {**FILE,
                                 "description": "`.csv`, `.parquet` or `.jsonl`, each also `.gz`."},
                        **ORDER,
                        "columns": text("A JSON object; see `columns` in JSON.",
                                        contentMediaType="application/json"),
                    },
                    *ORDER, "columns",
                )},
                **as_json(
                    record({"source": text("A file in your own folder; see `GET /incoming`."),
                            **ORDER,
                            "columns": {"type": "object", "additionalProperties": text(),
                                        "description": "By an input's name your column."}},
                           *ORDER, "columns"),
                    example={"source": "incoming/2026-11.csv.gz", "key": "id",
                             "columns": {"education": "Years of school"}},
                ),
            },
            parameters=[*ONCE, query("dry_run", yes_or_no(), "Only try it: count good and bad rows"
                                     " of the first 100,000 and show the first bad ones.")],
        ),
    },
    "/incoming": {
        "get": operation(
            "listIncoming", "Jobs", "jobs", "List the files in your own folder",
            {"200": answer("The newest 200, the newest first.", ref("Incoming"))}, 503,
        ),
    },
    "/jobs": {
        "get": operation(
            "listJobs", "Jobs", "read", "List jobs",
            {"200": answer("A page of jobs, the newest first.", page("Job"))}, 422,
            parameters=PAGING,
        ),
    },
    "/jobs/{id}": {
        "get": operation(
            "getJob", "Jobs", "read", "Show a job",
            {"200": answer("The job.", ref("Job"))}, 404,
        ),
        "delete": operation(
            "deleteJob", "Jobs", "jobs", "Delete a job that has ended, and all that came of it",
            {"204": {"description": "It is gone. Again, there is none to delete (404)."}}, 404, 409,
        ),
    },
    "/jobs/{id}/rows": {
        "get": operation(
            "listRows", "Jobs", "read", "List a job's stored predictions",
            {"200": answer("A page of rows, in the file's order.", page("JobRow"))}, 404, 422,
            parameters=[*PAGING, query("key", text(), "Only the rows with this key.")],
        ),
    },
    "/jobs/{id}/result": {
        "get": operation(
            "downloadResult", "Jobs", "read", "Download a job's result",
            {"200": {"description": "Your columns, and `prediction` and `error`.", "content": {
                "text/csv": {"schema": text()},
                "application/vnd.apache.parquet": {"schema": FILE},
            }}}, 404, 406, 409,
            parameters=[query("format", text(enum=["csv", "parquet"], default="csv"), "")],
        ),
    },
    "/jobs/{id}/errors": {
        "get": operation(
            "downloadErrors", "Jobs", "read", "Download the rows that could not be scored",
            {"200": {"description": "Your columns as they came, and `error`.",
                     "content": {"text/csv": {"schema": text()}}}}, 404, 409,
            more="Mend them and send the file again, with `retry_of`.",
        ),
    },
    "/jobs/{id}/retry": {
        "post": operation(
            "retryJob", "Jobs", "jobs", "Try the rows again that could not be scored",
            {"202": answer("A new job of just these rows.", ref("Job"), location=True)},
            404, 409, 422,
            parameters=[*ONCE, query("version", whole(minimum=1), "Another version's number.")],
        ),
    },
    "/jobs/{id}/cancel": {
        "post": operation(
            "cancelJob", "Jobs", "jobs", "Cancel a job",
            {"200": answer("The job.", ref("Job"))}, 404, 409,
        ),
    },
    "/jobs/{id}/resume": {
        "post": operation(
            "resumeJob", "Jobs", "jobs", "Go on with a job that was cancelled or failed",
            {"200": answer("The job.", ref("Job"))}, 404, 409,
        ),
    },
}  # fmt: skip

ERASURES: dict[str, dict[str, Operation]] = {
    "/erasures": {
        "get": operation(
            "listErasures", "Jobs", "manage", "List erasures",
            {"200": answer("A page of erasures, the newest first.", page("Erasure"))}, 422,
            parameters=PAGING,
        ),
        "post": operation(
            "eraseKey", "Jobs", "manage", "Erase all rows with a key, from every job",
            {"202": answer("The erasure, at work: ask its Location.", ref("Erasure"),
                            location=True)},
            400, 413, 415, 422,
            body=as_json(record({"key": text("The key, as the rows have it.", maxLength=500)}),
                         example={"key": "A-0001"}),
            parameters=ONCE,
            more="Predictions and stored inputs of the rows go. Jobs at work are gone through"
            " when they have ended. Of the key only a keyed digest is kept.",
        ),
    },
    "/erasures/{id}": {
        "get": operation(
            "getErasure", "Jobs", "manage", "Show an erasure",
            {"200": answer("The erasure.", ref("Erasure"))}, 404,
        ),
    },
}  # fmt: skip

PATHS = {**MODELS, **PREDICTIONS, **JOBS, **SCHEDULES, **WEBHOOKS, **ERASURES, **FEEDS}
PATH_PARAMETERS: dict[str, Schema] = {
    "slug": text("The model's slug.", examples=["salary"]),
    "number": whole("The version's number.", minimum=1),
    "architecture": text(enum=ARCHITECTURES),
    "id": text(format="uuid"),
    "delivery": text(format="uuid"),
    "sha256": text("The Bundle's SHA-256 in hexadecimal.", pattern="^[0-9a-f]{64}$"),
}
PARAMETERS: dict[str, Any] = {
    "cursor": query("cursor", text(), "The `next` of the page before."),
    "limit": query("limit", whole(minimum=1, maximum=1_000, default=100), "Items on the page."),
    "idempotency_key": {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": text(maxLength=255),
        "description": "The same key again, within 24 hours: the first answer again, and no"
        " second deed.",
    },
}
