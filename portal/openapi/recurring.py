"""What can be asked about recurring jobs and webhooks, and their shapes."""

from typing import Any

from portal.openapi.building import FILE, ONCE, PAGING, Operation, answer, as_json, operation
from portal.openapi.schemas import (
    MOMENT,
    Schema,
    listed,
    or_null,
    page,
    record,
    ref,
    text,
    whole,
    yes_or_no,
)

_EVENTS = ["job.succeeded", "job.partial", "job.failed", "job.cancelled"]
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_GONE = {"204": {"description": "It is gone."}}
_PLAN: dict[str, Schema] = {
    "name": text(minLength=1, maxLength=120),
    "every": text(enum=["day", "week", "month"]),
    "at": text("A time of day.", pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["02:30"]),
    "zone": text("An IANA time zone: `at` is by its clocks.", examples=["Europe/Berlin"]),
    "weekday": text("Each week: on which day.", enum=_WEEKDAYS),
    "day": whole("Each month: the day; the last one where it is shorter.", minimum=1, maximum=31),
    "version": whole("A version's number; without it the one that is live at the time."),
    "key": text("The name of your own id column."),
    "mail": {"type": "boolean", "default": True, "description": "Tell who made it of each run."},
}
_OPTIONAL = ("weekday", "day", "version", "key", "mail")
_PLANNED = {name: or_null(schema) for name, schema in _PLAN.items() if name in _OPTIONAL}
_WEBHOOK: dict[str, Schema] = {
    "id": text(format="uuid"),
    "url": text(),
    "events": listed(text(enum=_EVENTS)),
    "enabled": yes_or_no("Whether it is called."),
    "why_disabled": or_null(text()),
    "failing_since": or_null(MOMENT),
    "created": MOMENT,
    "created_by": text(),
}

RECURRING_SCHEMAS: dict[str, Schema] = {
    "Plan": record(_PLAN, *_OPTIONAL, description="When a recurring job runs, and how it scores."),
    "Schedule": record(
        {
            "id": text(format="uuid"),
            **_PLAN,
            **_PLANNED,
            "mail": yes_or_no(),
            "model": text("The model's slug."),
            "filename": or_null(text("Of the file that is scored each time.")),
            "paused": yes_or_no(),
            "next_run": or_null(MOMENT),
            "created": MOMENT,
            "created_by": text(),
        }
    ),
    "Run": record(
        {
            "id": text(format="uuid"),
            "slot": text("When it was due.", format="date-time"),
            "status": text(
                "`refused`: it could not start, and `detail` says why. `skipped`: Berth was not"
                " running then, and a later run took its place.",
                enum=["started", "refused", "skipped"],
            ),
            "detail": or_null(text()),
            "job": or_null(text(format="uuid")),
            "job_status": or_null(text()),
        }
    ),
    "NewWebhook": record(
        {
            "url": text("https://, on the public internet.", maxLength=500),
            "events": listed(text(enum=_EVENTS), "All of them where it is left out."),
        },
        "events",
    ),
    "Webhook": record(_WEBHOOK),
    "WebhookWithSecret": record(
        {**_WEBHOOK, "secret": text("`whsec_…`, shown this once: verify messages with it.")}
    ),
    "Delivery": record(
        {
            "id": text(format="uuid"),
            "event": text(),
            "job": or_null(text(format="uuid")),
            "status": text(enum=["pending", "sent", "dead"]),
            "tries": listed(
                record(
                    {
                        "at": MOMENT,
                        "status": or_null(whole("What it answered.")),
                        "milliseconds": whole(),
                        "error": text(),
                    }
                )
            ),
            "next_try": or_null(MOMENT),
            "error": or_null(text("Of the last try.")),
            "body": text("What is signed and sent, byte for byte."),
            "created": MOMENT,
            "finished": or_null(MOMENT),
        }
    ),
}

_FILE = {**FILE, "description": "`.csv`, `.parquet` or `.jsonl`, each also `.gz`."}
_EXAMPLE = {"name": "Payroll", "every": "month", "day": 31, "at": "02:30", "zone": "Europe/Berlin"}
_SCHEDULE = {"200": answer("The recurring job.", ref("Schedule"))}
_HOOK = {"200": answer("The webhook.", ref("Webhook"))}
_SECRET = ref("WebhookWithSecret")


def _on_schedule(name: str, summary: str, more: str = "") -> dict[str, Operation]:
    return {"post": operation(name, "Recurring jobs", "jobs", summary, _SCHEDULE, 404, more=more)}


def _on_hook(name: str, summary: str, more: str = "") -> dict[str, Operation]:
    return {"post": operation(name, "Webhooks", "manage", summary, _HOOK, 404, more=more)}


SCHEDULES: dict[str, dict[str, Any]] = {
    "/models/{slug}/schedules": {
        "post": operation(
            "createSchedule", "Recurring jobs", "jobs", "Score a file again and again",
            {"201": answer("The recurring job.", ref("Schedule"), location=True)},
            400, 404, 409, 413, 415, 422,
            body={"multipart/form-data": {
                "schema": record({"file": _FILE, **_PLAN}, *_OPTIONAL)}},
            parameters=ONCE,
        ),
    },
    "/schedules": {
        "get": operation(
            "listSchedules", "Recurring jobs", "read", "List recurring jobs",
            {"200": answer("A page of them, the newest first.", page("Schedule"))}, 422,
            parameters=PAGING,
        ),
    },
    "/schedules/{id}": {
        "get": operation(
            "getSchedule", "Recurring jobs", "read", "Show a recurring job", _SCHEDULE, 404,
        ),
        "put": operation(
            "changeSchedule", "Recurring jobs", "jobs", "Give it another plan", _SCHEDULE,
            400, 404, 409, 413, 415, 422,
            body=as_json(ref("Plan"), example=_EXAMPLE),
        ),
        "delete": operation(
            "deleteSchedule", "Recurring jobs", "jobs", "Delete it", _GONE, 404,
            more="The jobs that it started stay.",
        ),
    },
    "/schedules/{id}/file": {
        "post": operation(
            "replaceFile", "Recurring jobs", "jobs", "Score another file from the next run on",
            _SCHEDULE, 400, 404, 413, 415, 422,
            body={"multipart/form-data": {"schema": record({"file": _FILE})}},
        ),
    },
    "/schedules/{id}/runs": {
        "get": operation(
            "listRuns", "Recurring jobs", "read", "List what became of its hours",
            {"200": answer("A page of runs, the newest first.", page("Run"))}, 404, 422,
            parameters=PAGING,
        ),
        "post": operation(
            "runNow", "Recurring jobs", "jobs", "Start a run now, beside its timetable",
            {"202": answer("The job, queued.", ref("Job"), location=True)}, 404, 409, 413, 422,
            parameters=ONCE,
        ),
    },
    "/schedules/{id}/pause": _on_schedule("pauseSchedule", "Let it rest"),
    "/schedules/{id}/resume": _on_schedule(
        "resumeSchedule", "Let it run again", "What passed meanwhile is not made up for."
    ),
}  # fmt: skip

WEBHOOKS: dict[str, dict[str, Any]] = {
    "/webhooks": {
        "get": operation(
            "listWebhooks", "Webhooks", "manage", "List webhooks",
            {"200": answer("A page of webhooks, the newest first.", page("Webhook"))}, 422,
            parameters=PAGING,
        ),
        "post": operation(
            "createWebhook", "Webhooks", "manage", "Have an address called when a job ends",
            {"201": answer("The webhook, with its secret.", _SECRET, location=True)},
            400, 409, 413, 415, 422,
            body=as_json(ref("NewWebhook"), example={
                "url": "https://hr.example.com/berth", "events": ["job.succeeded", "job.partial"]}),
            parameters=ONCE,
        ),
    },
    "/webhooks/{id}": {
        "get": operation("getWebhook", "Webhooks", "manage", "Show a webhook", _HOOK, 404),
        "put": operation(
            "changeWebhook", "Webhooks", "manage", "Change its address or its events", _HOOK,
            400, 404, 413, 415, 422,
            body=as_json(ref("NewWebhook"), example={"url": "https://hr.example.com/berth"}),
        ),
        "delete": operation("deleteWebhook", "Webhooks", "manage", "Delete it", _GONE, 404),
    },
    "/webhooks/{id}/rotate": {
        "post": operation(
            "rotateSecret", "Webhooks", "manage", "Make a new secret",
            {"200": answer("The webhook, with its new secret.", _SECRET)}, 404,
            more="For 24 hours messages bear a signature by the old secret too.",
        ),
    },
    "/webhooks/{id}/enable": _on_hook("enableWebhook", "Call it again from now on"),
    "/webhooks/{id}/disable": _on_hook(
        "disableWebhook", "Call it no more", "What is on its way is given up."
    ),
    "/webhooks/{id}/test": {
        "post": operation(
            "testWebhook", "Webhooks", "manage", "Send a test message",
            {"202": answer("The message, on its way.", ref("Delivery"))}, 404, 409,
            more="Its type is `webhook.test`.",
        ),
    },
    "/webhooks/{id}/deliveries": {
        "get": operation(
            "listDeliveries", "Webhooks", "manage", "List what it was sent",
            {"200": answer("A page of messages, the newest first.", page("Delivery"))}, 404, 422,
            parameters=PAGING,
        ),
    },
    "/webhooks/{id}/deliveries/{delivery}/resend": {
        "post": operation(
            "resendDelivery", "Webhooks", "manage", "Send a message again",
            {"202": answer("The message, on its way.", ref("Delivery"))}, 404, 409,
            more="Under the same `webhook-id`.",
        ),
    },
}  # fmt: skip
