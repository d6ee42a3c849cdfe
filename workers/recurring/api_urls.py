"""The part of ``/api/v1`` about recurring jobs."""

from django.urls import path

from workers.recurring import api

ONE = "schedules/<uuid:schedule_id>"

urlpatterns = [
    path(
        "models/<slug:slug>/schedules",
        api.ModelSchedulesView.as_view(),
        name="api-schedules-of-model",
    ),
    path("schedules", api.SchedulesView.as_view(), name="api-schedules"),
    path(ONE, api.ScheduleView.as_view(), name="api-schedule"),
    path(f"{ONE}/file", api.ScheduleFileView.as_view(), name="api-schedule-file"),
    path(f"{ONE}/runs", api.RunsView.as_view(), name="api-schedule-runs"),
    path(f"{ONE}/pause", api.PauseView.as_view(), name="api-schedule-pause"),
    path(f"{ONE}/resume", api.ResumeView.as_view(), name="api-schedule-resume"),
]
