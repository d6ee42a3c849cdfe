"""Where a job's rows are in the predictions database: on a shelf of their own, or on shelf 0.

A shelf is a partition. What a shelf of one's own costs is a table; what it gives is that the job
goes by dropping it, at once and whole. See the migration of the shelves for how it is walled in.
"""

import structlog
from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from workers.models import Job, Shelf

log = structlog.get_logger()
#: Deleting fewer rows than this from a shared table takes a fraction of a second.
OWN_SHELF_ROWS = 100_000


def give_shelf(job: Job, rows: int) -> None:
    """Give a large job a shelf of its own. Call in the transaction that makes its rows known:
    ``rows_total`` is not set yet, and no row is stored."""
    if rows >= OWN_SHELF_ROWS:
        with connection.cursor() as cursor:
            cursor.execute("SELECT workers_own_shelf(%s)", [job.pk])
            job.shelf = cursor.fetchone()[0]


def drop_shelves() -> None:
    """Drop the shelves, of the organisation in scope, whose jobs are gone.

    Somebody who reads the whole database for long (a backup) may hold one up: then next time.
    """
    for number in list(Shelf.objects.filter(job=None).values_list("number", flat=True)):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT workers_drop_shelf(%s)", [number])
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            log.info("shelf_in_use", shelf=number)
