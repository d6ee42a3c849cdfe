"""The audit log: who did what, newest first, and as a file."""

import csv
import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render

from portal.access import Permission
from portal.formulas import defused
from portal.models import AuditEntry
from portal.pages import PageRequest, page
from portal.views.forms import AuditFilter

PAGE = 50
_DIGEST = re.compile(r"[0-9a-f]{64}")
MOST_EXPORTED = 50_000
COLUMNS = ("at", "actor", "address", "action", "target", "target_id", "label", "detail")


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as people read it."""

    entry: AuditEntry

    @property
    def deed(self) -> str:
        """“version.uploaded” as two words."""
        return self.entry.action.replace(".", " ").replace("_", " ")

    @property
    def details(self) -> str:
        """What the entry notes, in one line; digests cut to what tells them apart."""
        notes = ((name.replace("_", " "), _noted(value)) for name, value in _sorted(self.entry))
        return "; ".join(f"{name}: {value}" for name, value in notes)


def _sorted(entry: AuditEntry) -> list[tuple[str, Any]]:
    return sorted(entry.detail.items(), key=lambda item: (item[0] != "before", item[0]))


def _noted(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    text = "" if value is None else str(value)
    return f"{text[:12]}…" if _DIGEST.fullmatch(text) else text or "none"


@dataclass(frozen=True, slots=True)
class Window:
    """Some entries in a row, newest first, and the ways on ("" where there is none)."""

    lines: list[Line]
    newer: str
    older: str


@page
def audit(request: PageRequest) -> HttpResponse:
    """The entries that the filter lets through, a page at a time."""
    form, entries = _filtered(request)
    window = _window(request, entries)
    context = {
        "nav": "audit",
        "form": form,
        "window": window,
        "filters": _query(request),
    }
    return render(request, "portal/audit.html", context, status=422 if form.errors else 200)


@page
def audit_export(request: PageRequest) -> HttpResponse:
    """The same entries as CSV (RFC 4180), the newest 50,000 of them."""
    _, entries = _filtered(request)
    text = io.StringIO()
    lines = csv.writer(text, quoting=csv.QUOTE_ALL)
    lines.writerow(COLUMNS)
    for entry in entries[:MOST_EXPORTED].iterator(2_000):
        lines.writerow(defused(cell) for cell in _cells(entry))
    name = f"audit-{request.caller.organisation.slug if request.caller.organisation else ''}.csv"
    return HttpResponse(
        text.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _cells(entry: AuditEntry) -> list[str]:
    detail = orjson.dumps(entry.detail).decode() if entry.detail else ""
    plain = [str(getattr(entry, column)) for column in COLUMNS[1:-1]]
    return [entry.at.astimezone(UTC).isoformat(timespec="seconds"), *plain, detail]


def entries_of(request: PageRequest) -> QuerySet[AuditEntry]:
    """The organisation's entries. They name people and addresses, so admins read them."""
    request.caller.require(Permission.MANAGE)
    return AuditEntry.objects.all()


def _filtered(request: PageRequest) -> tuple[AuditFilter, QuerySet[AuditEntry]]:
    entries = entries_of(request)
    form = AuditFilter(request.GET)
    form.is_valid()
    wanted: dict[str, Any] = form.cleaned_data
    if wanted.get("actor"):
        entries = entries.filter(actor__icontains=wanted["actor"])
    if wanted.get("about"):
        entries = entries.filter(action__startswith=f"{wanted['about']}.")
    if wanted.get("since"):
        entries = entries.filter(at__gte=datetime.combine(wanted["since"], time.min, UTC))
    if wanted.get("until"):
        after = wanted["until"] + timedelta(days=1)
        entries = entries.filter(at__lt=datetime.combine(after, time.min, UTC))
    return form, entries


def _window(request: PageRequest, entries: QuerySet[AuditEntry]) -> Window:
    """The page that the cursor (``before`` or ``after`` an entry's id) asks for. The ids are in
    order of time, so a page stays the same while new entries come."""
    before, after = _cursor(request, "before"), _cursor(request, "after")
    if after:
        rows = list(entries.filter(pk__gt=after).order_by("pk")[: PAGE + 1])
        has_newer, has_older = len(rows) > PAGE, True
        rows = rows[:PAGE][::-1]
    else:
        rows = list((entries.filter(pk__lt=before) if before else entries)[: PAGE + 1])
        has_newer, has_older = before is not None, len(rows) > PAGE
        rows = rows[:PAGE]
    return Window(
        [Line(row) for row in rows],
        newer=_address(request, after=rows[0].pk) if rows and has_newer else "",
        older=_address(request, before=rows[-1].pk) if rows and has_older else "",
    )


def _cursor(request: PageRequest, name: str) -> UUID | None:
    try:
        return UUID(request.GET.get(name, ""))
    except ValueError:
        return None


def _query(request: PageRequest) -> str:
    return urlencode(
        {name: request.GET[name] for name in AuditFilter.base_fields if request.GET.get(name)}
    )


def _address(request: PageRequest, **cursor: UUID) -> str:
    filters = _query(request)
    return f"{request.path}?{filters}{'&' if filters else ''}{urlencode(cursor)}"
