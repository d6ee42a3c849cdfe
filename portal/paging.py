"""Lists in pages: ``{"items": […], "next": cursor or null}`` with ``?cursor=&limit=``."""

import base64
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from rest_framework.request import Request

from portal.errors import Invalid

M = TypeVar("M", bound=Model)
MOST = 1_000


def page_of(
    request: Request, rows: QuerySet[M], show: Callable[[M], Any], *, order: str, usual: int = 100
) -> dict[str, Any]:
    """A page of ``rows`` in the ``order`` of one unique field (``-`` for descending).

    The cursor holds the last value shown, so pages don't shift when rows come or go. Raises
    Invalid for a limit or a cursor that is off.
    """
    limit = limit_of(request, usual)
    field = order.lstrip("-")
    if cursor := request.query_params.get("cursor"):
        side = "lt" if order.startswith("-") else "gt"
        rows = rows.filter(**{f"{field}__{side}": _last_shown(cursor, rows, field)})
    found = list(rows.order_by(order)[: limit + 1])
    more = len(found) > limit
    last = str(getattr(found[limit - 1], field)) if more else ""
    return {
        "items": [show(row) for row in found[:limit]],
        "next": base64.urlsafe_b64encode(last.encode()).decode() if more else None,
    }


def limit_of(request: Request, usual: int) -> int:
    """``?limit=``, or the usual one. Raises Invalid."""
    text = request.query_params.get("limit", str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MOST):
        raise Invalid.field("limit", "out_of_range", f"“limit” is a number from 1 to {MOST:,}.")
    return int(text)


def _last_shown(cursor: str, rows: QuerySet[Any], field: str) -> Any:
    try:
        text = base64.b64decode(cursor, b"-_", validate=True).decode()
        if "\0" in text:  # PostgreSQL has no such text
            raise ValueError(cursor)
        return rows.model._meta.get_field(field).to_python(text)
    except (ValueError, ValidationError) as error:
        raise Invalid.field("cursor", "bad_cursor", "This cursor is not one of ours.") from error
