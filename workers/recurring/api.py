"""``/api/v1``: recurring jobs."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from models_hub.doors import get_model_for
from portal.access import Permission
from portal.api import ApiView, UploadView
from portal.errors import BadRequest
from portal.idempotency import once
from portal.paging import page_of
from portal.tenancy import scope
from portal.uploads import required
from workers.api import job_json
from workers.doors import get_job_for
from workers.models import Run, Schedule
from workers.recurring import actions
from workers.recurring.doors import get_schedule_for, runs_of, schedules_for
from workers.recurring.plans import FIELDS, plan_of
from workers.recurring.timetable import Every
from workers.recurring_models import WEEKDAYS


def schedule_json(schedule: Schedule) -> dict[str, Any]:
    """The API's Schedule. ``weekday`` and ``day`` are null where they don't count."""
    every = Every(schedule.every)
    return {
        "id": schedule.pk,
        "name": schedule.name,
        "model": schedule.model.slug,
        "version": schedule.version.number if schedule.version else None,
        "key": schedule.key_column or None,
        "filename": schedule.source.get("filename"),
        "every": every,
        "at": f"{schedule.at:%H:%M}",
        "weekday": WEEKDAYS[schedule.weekday] if every == Every.WEEK else None,
        "day": schedule.day if every == Every.MONTH else None,
        "zone": schedule.zone,
        "mail": schedule.mail,
        "paused": schedule.paused,
        "next_run": schedule.next_slot,
        "created": schedule.created,
        "created_by": schedule.created_by,
    }


def run_json(run: Run) -> dict[str, Any]:
    """The API's Run."""
    return {
        "id": run.pk,
        "slot": run.slot,
        "status": run.state,
        "detail": run.detail or None,
        "job": run.job_id,
        "job_status": run.job.status if run.job else None,
    }


class ModelSchedulesView(UploadView):
    """``POST /models/{slug}/schedules``"""

    def admit(self, slug: str) -> None:
        self.caller.require(Permission.JOBS)
        with scope(self.caller.organisation_id):
            get_model_for(self.caller, slug)

    def post(self, request: Request, slug: str) -> HttpResponse:
        file = required(request._request, "file")
        fields = {name: request._request.POST.get(name) for name in FIELDS}
        plan = plan_of({name: value for name, value in fields.items() if value is not None})

        def create() -> Response:
            schedule = actions.create_schedule(self.caller, slug, file, plan)
            address = reverse("api-schedule", args=[schedule.pk])
            return Response(schedule_json(schedule), 201, headers={"Location": address})

        return once(request, self.caller, repr((slug, file.sha256, plan)), create)


class SchedulesView(ApiView):
    """``GET /schedules``"""

    def get(self, request: Request) -> Response:
        return Response(page_of(request, schedules_for(self.caller), schedule_json, order="-id"))


class ScheduleView(ApiView):
    """``GET``, ``PUT`` and ``DELETE /schedules/{id}``"""

    reads_body = True

    def admit(self, schedule_id: UUID) -> None:
        self.caller.require(Permission.JOBS)

    def get(self, request: Request, schedule_id: UUID) -> Response:
        return Response(schedule_json(get_schedule_for(self.caller, schedule_id)))

    def put(self, request: Request, schedule_id: UUID) -> Response:
        get_schedule_for(self.caller, schedule_id)
        if not isinstance(request.data, dict):
            raise BadRequest("The body is a JSON object.")
        plan = plan_of(request.data)
        return Response(schedule_json(actions.change_schedule(self.caller, schedule_id, plan)))

    def delete(self, request: Request, schedule_id: UUID) -> Response:
        actions.delete_schedule(self.caller, schedule_id)
        return Response(status=204)


class ScheduleFileView(UploadView):
    """``POST /schedules/{id}/file``"""

    def admit(self, schedule_id: UUID) -> None:
        self.caller.require(Permission.JOBS)
        with scope(self.caller.organisation_id):
            get_schedule_for(self.caller, schedule_id)

    def post(self, request: Request, schedule_id: UUID) -> Response:
        file = required(request._request, "file")
        return Response(schedule_json(actions.replace_file(self.caller, schedule_id, file)))


class RunsView(ApiView):
    """``GET /schedules/{id}/runs``, and ``POST`` to start one now"""

    def get(self, request: Request, schedule_id: UUID) -> Response:
        rows = runs_of(get_schedule_for(self.caller, schedule_id))
        return Response(page_of(request, rows, run_json, order="-slot"))

    def post(self, request: Request, schedule_id: UUID) -> HttpResponse:
        def start() -> Response:
            job = get_job_for(self.caller, actions.run_now(self.caller, schedule_id).pk)
            address = reverse("api-job", args=[job.pk])
            return Response(job_json(job), 202, headers={"Location": address})

        return once(request, self.caller, str(schedule_id), start)


class _DeedView(ApiView):
    verb: Callable[..., Schedule]

    def post(self, request: Request, schedule_id: UUID) -> Response:
        return Response(schedule_json(type(self).verb(self.caller, schedule_id)))


class PauseView(_DeedView):
    """``POST /schedules/{id}/pause``"""

    verb = staticmethod(actions.pause_schedule)


class ResumeView(_DeedView):
    """``POST /schedules/{id}/resume``"""

    verb = staticmethod(actions.resume_schedule)
