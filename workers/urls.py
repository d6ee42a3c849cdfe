"""The addresses of jobs, as people see them."""

from django.urls import include, path

from workers import intake_views, views

urlpatterns = [
    path("jobs", views.jobs, name="jobs"),
    path("jobs/new", intake_views.job_new, name="job-new"),
    path("jobs/<uuid:job_id>", views.job, name="job"),
    path("jobs/<uuid:job_id>/progress", views.progress, name="job-progress"),
    path("jobs/<uuid:job_id>/cancel", views.cancel, name="job-cancel"),
    path("jobs/<uuid:job_id>/resume", views.resume, name="job-resume"),
    path("jobs/<uuid:job_id>/delete", views.delete, name="job-delete"),
    path("jobs/<uuid:job_id>/retry", views.retry, name="job-retry"),
    path("jobs/<uuid:job_id>/errors", views.errors, name="job-errors"),
    path("jobs/<uuid:job_id>/result", views.result, name="job-result"),
    path("", include("workers.recurring.urls")),
    path("", include("workers.webhooks.urls")),
]
