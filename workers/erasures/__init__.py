"""Erasing a key: asked for here, done by the workers (see ``workers.erasing``).

A person can ask an organisation to forget them. Their key is looked up in every job; its rows go
from the predictions database and from the stored inputs.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from portal import turns
from portal.access import Caller, Permission, record
from portal.errors import Invalid, NotFound
from portal.tenancy import current
from workers.labels import LONGEST_KEY, storable
from workers.models import Erasure, Job

#: What else has to forget some rows of a job, given their numbers and their key. Called in the
#: transaction that erases them; again is once. Who keeps things of rows adds themselves.
ALSO: list[Callable[[Job, Sequence[int], str], None]] = []


def request_erasure(caller: Caller, key: str) -> Erasure:
    """Have all rows with ``key`` erased, from every job there is now. Raises Invalid.

    Jobs at work are gone through when they have ended.
    """
    caller.require(Permission.MANAGE)
    key = storable(key)
    if not key or len(key) > LONGEST_KEY:
        detail = f"A key has 1 to {LONGEST_KEY} characters (of longer ones the first are kept)."
        raise Invalid.field("key", "bad_text", detail)
    with transaction.atomic():
        jobs = Job.objects.exclude(key_column="").order_by("pk").values_list("pk", flat=True)
        erasure = Erasure.objects.create(
            key=key, digest=digest_of(key), jobs_left=list(jobs), created_by=caller.actor
        )
        record(caller, "erasure.requested", erasure, digest=erasure.digest)
        turns.announce(turns.Kind.PURGE)
    return erasure


def digest_of(key: str) -> str:
    """What may be kept of an erased key: HMAC-SHA256 under the installation's secret. It tells
    that two erasures were of one key, and whether they were of a key that one has in hand."""
    return salted_hmac(f"berth.erasure {current()}", key, algorithm="sha256").hexdigest()


def erasures_for(caller: Caller) -> QuerySet[Erasure]:
    """The organisation's erasures, newest first."""
    caller.require(Permission.MANAGE)
    return Erasure.objects.order_by("-id")


def get_erasure_for(caller: Caller, erasure_id: UUID) -> Erasure:
    """The erasure with this id."""
    erasure = erasures_for(caller).filter(pk=erasure_id).first()
    if erasure is None:
        raise NotFound("erasure")
    return erasure
