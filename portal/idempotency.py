"""Idempotency-Key: the same POST twice is one deed and two equal answers.

After the IETF draft "The Idempotency-Key HTTP Header Field". The key is taken, the deed done and
its answer kept in one transaction, so there is no half-way state to clean up: a repeat that comes
while the first is at work waits for its commit, a first that dies leaves nothing.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta

from django.db import connection
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from portal.access import Caller
from portal.errors import Invalid
from portal.models import IdempotentReply, new_id
from portal.rest import rendered
from portal.tenancy import current

KEPT = timedelta(hours=24)
LONGEST = 255
LONGEST_PATH = 300  # there is nothing at a longer one


def key_of(request: Request) -> str:
    """The request's Idempotency-Key, or "". Raises Invalid for one that is too long."""
    key = str(request.META.get("HTTP_IDEMPOTENCY_KEY", ""))
    if len(key) > LONGEST:
        raise Invalid(f"An Idempotency-Key has at most {LONGEST} characters.", code="bad_key")
    return key


def once(
    request: Request, caller: Caller, content: str, produce: Callable[[], HttpResponse]
) -> HttpResponse:
    """``produce()``, or what it answered to the same key before.

    Call inside the organisation's scope. ``content`` is a digest or text of what is asked; the
    same key with other content raises Invalid. Answers of 400 and above are not kept.
    """
    key = key_of(request)
    if not key or len(request.path) > LONGEST_PATH:
        return produce()
    fingerprint = hashlib.sha256(f"{request.method} {content}".encode()).hexdigest()
    reply_id = _take(caller, request.path, key, fingerprint)
    if reply_id is None:
        return _replay(caller, request.path, key, fingerprint)
    response = rendered(produce())
    IdempotentReply.objects.filter(pk=reply_id).update(
        status=response.status_code,
        body=response.content,
        headers={name: response[name] for name in ("Content-Type", "Location") if name in response},
    )
    return response


def _take(caller: Caller, path: str, key: str, fingerprint: str) -> str | None:
    """Claim the key; None when it was used. Waits for a first user that is still at work."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO portal_idempotentreply"
            " (id, organisation_id, key_id, path, idempotency_key, fingerprint, started, headers)"
            " VALUES (%s, %s, %s, %s, %s, %s, now(), '{}')"
            " ON CONFLICT DO NOTHING RETURNING id",
            [new_id(), current(), caller.key_id, path, key, fingerprint],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def _replay(caller: Caller, path: str, key: str, fingerprint: str) -> HttpResponse:
    reply = IdempotentReply.objects.get(key_id=caller.key_id, path=path, idempotency_key=key)
    if reply.fingerprint != fingerprint:
        raise Invalid(
            "This Idempotency-Key was used for another request already; use a new one.",
            code="idempotency_key_reused",
        )
    return HttpResponse(
        bytes(reply.body or b""),
        status=reply.status,
        headers={**reply.headers, "Idempotent-Replayed": "true"},
    )


def forget_old() -> int:
    """Drop the organisation's replies that are past their time; returns how many."""
    old = IdempotentReply.objects.filter(started__lt=timezone.now() - KEPT)
    return old.delete()[0]
