"""Celery's settings; the reasons are in the comments because each is a scar of somebody's."""

from typing import Any

from django.conf import settings

broker_url = settings.ENV.redis_url.replace("unix://", "redis+socket://", 1)
broker_connection_retry_on_startup = True
broker_transport_options: dict[str, Any] = {
    "global_keyprefix": "berth:celery:",
    # Without these a worker whose connection is half open waits for ever.
    "socket_timeout": 30,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
broker_connection_timeout = 1
accept_content = ["json"]
task_ignore_result = True
result_backend = None
# A message lost or repeated costs nothing, so there is no need to hold it back.
task_acks_late = False
# Slices are short; a child that hangs is ended and its lease runs out.
task_soft_time_limit = 240
task_time_limit = 300
worker_prefetch_multiplier = 1
worker_max_tasks_per_child = 500
# A child inherits what its parent imported, which is quick. A model that was loaded before a fork
# would lose its threads and hang; but the parent loads none, and imports nothing that starts a
# thread (polars does: see `tasks.score`).
worker_pool_start_method = "fork"
worker_proc_alive_timeout = 30
worker_send_task_events = False
worker_hijack_root_logger = False
task_publish_retry = False

task_default_queue = "control"
task_routes = {
    "workers.inspect": {"queue": "control"},
    "workers.probe": {"queue": "control"},
    "workers.recur": {"queue": "batch"},
    "workers.deliver": {"queue": "outside"},
    "workers.mail": {"queue": "outside"},
    "workers.score": {"queue": "batch"},
    "workers.purge": {"queue": "batch"},
    "workers.load": {"queue": "load"},
    "workers.sweep": {"queue": "load"},
    "workers.tidy": {"queue": "load"},
}
beat_schedule = {
    "load": {"task": "workers.load", "schedule": 1.0, "options": {"expires": 5}},
    "sweep": {"task": "workers.sweep", "schedule": 3.0, "options": {"expires": 10}},
    "probe": {"task": "workers.probe", "schedule": 3600.0},
    "tidy": {"task": "workers.tidy", "schedule": 3600.0},
}
beat_schedule_filename = str(settings.ENV.home / "beat")
