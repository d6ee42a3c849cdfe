"""The offline room's part of ``/api/v1``."""

from django.urls import include, path

from workers import api
from workers.erasures import api as erasures

urlpatterns = [
    path("models/<slug:slug>/jobs", api.ModelJobsView.as_view(), name="api-jobs-of-model"),
    path("incoming", api.IncomingView.as_view(), name="api-incoming"),
    path("jobs", api.JobsView.as_view(), name="api-jobs"),
    path("jobs/<uuid:job_id>", api.JobView.as_view(), name="api-job"),
    path("jobs/<uuid:job_id>/rows", api.JobRowsView.as_view(), name="api-job-rows"),
    path("jobs/<uuid:job_id>/result", api.JobResultView.as_view(), name="api-job-result"),
    path("jobs/<uuid:job_id>/errors", api.JobErrorsView.as_view(), name="api-job-errors"),
    path("jobs/<uuid:job_id>/retry", api.RetryView.as_view(), name="api-job-retry"),
    path("jobs/<uuid:job_id>/cancel", api.CancelView.as_view(), name="api-job-cancel"),
    path("jobs/<uuid:job_id>/resume", api.ResumeView.as_view(), name="api-job-resume"),
    path("", include("workers.recurring.api_urls")),
    path("", include("workers.webhooks.api_urls")),
    path("erasures", erasures.ErasuresView.as_view(), name="api-erasures"),
    path("erasures/<uuid:erasure_id>", erasures.ErasureView.as_view(), name="api-erasure"),
]
