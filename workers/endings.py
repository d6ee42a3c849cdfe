"""Whom it concerns that a job has ended."""

from portal.access import system
from portal.tenancy import current
from workers import letters
from workers.doors import get_job_for
from workers.models import Job
from workers.webhooks import outbox


def tell(job: Job) -> None:
    """Write the outboxes' lines. Call in the transaction that ends the job, once it has ended."""
    counted = get_job_for(system(current()), job.pk)
    outbox.put(counted)
    letters.tell_of_end(counted)
