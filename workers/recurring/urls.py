"""The addresses of recurring jobs, as people see them."""

from django.urls import path

from workers.recurring import views

ONE = "schedules/<uuid:schedule_id>"

urlpatterns = [
    path("schedules", views.schedules, name="schedules"),
    path("schedules/new", views.schedule_new, name="schedule-new"),
    path(ONE, views.schedule, name="schedule"),
    path(f"{ONE}/edit", views.schedule_edit, name="schedule-edit"),
    path(f"{ONE}/run", views.schedule_run, name="schedule-run"),
    path(f"{ONE}/pause", views.schedule_pause, name="schedule-pause"),
    path(f"{ONE}/resume", views.schedule_resume, name="schedule-resume"),
    path(f"{ONE}/delete", views.schedule_delete, name="schedule-delete"),
]
