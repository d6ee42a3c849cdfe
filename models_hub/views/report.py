"""A version's report: its stages while it is inspected, what was found when it ended."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render

from models_hub.actions import promote as promote_version
from models_hub.actions import roll_back
from models_hub.actions import withdraw as withdraw_model
from models_hub.doors import get_model_for, get_version_for
from models_hub.models import MADE_LIVE, HostedModel, ModelEvent, Version
from models_hub.places import places_told
from models_hub.quarantine import delete_refused
from models_hub.sealing import STAGES
from models_hub.views.figures import scientific, seconds
from models_hub.views.frame import show
from models_hub.views.inputs import inputs_of
from portal.errors import Conflict
from portal.pages import PageRequest, deed, page
from predictions.architectures import ARCHITECTURES

HISTORY = 10
_MEANS = {
    "received": "The file is stored; nothing has opened it yet.",
    "inspected": "It is opened in a sandbox that reaches neither the network nor other files.",
    "signature": "What goes in and what comes out.",
    "converted": "The pipeline is written anew as ONNX.",
    "compared": "Both answer the same rows, and every answer is compared.",
    "sealed": "Signed; from then on it never changes.",
    "certified": "Each way of deployment answers the same rows alike.",
}
HOW_TO_CONVERT = """from skl2onnx import to_onnx  # with a converter for your own class registered

model = to_onnx(pipeline, X[:1], options={"zipmap": False})
open("model.onnx", "wb").write(model.SerializeToString())"""
_NATIVELY = (
    "scikit-learn itself answers, in a sandboxed process of its own, which takes longer than ONNX. "
)
_STATES = {"running": "current", "done": "done", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Step:
    """A stage as ``parts/step.html`` takes it."""

    title: str
    state: str
    detail: str
    aside: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a version can run, or why it can't."""

    title: str
    available: bool
    reason: str
    size: int | None


def steps_of(version: Version) -> Iterator[Step]:
    """All seven stages: those that were, the one that runs, and those to come (or never)."""
    known = {stage["name"]: stage for stage in version.report.get("stages", [])}
    ended = version.status != Version.Status.INSPECTING
    reached = any(stage["status"] == "running" for stage in known.values())
    for name in STAGES:
        stage = known.get(name)
        if stage is not None:
            yield _step(name, stage)
        elif ended:
            yield Step(name.capitalize(), "skipped", "It did not come to this.", "")
        else:
            state = "waiting" if reached else "current"
            reached = True
            yield Step(name.capitalize(), state, _MEANS[name], "")


def _step(name: str, stage: Mapping[str, Any]) -> Step:
    state = _STATES.get(stage["status"], "waiting")
    took = seconds(stage["seconds"]) if state == "done" and stage["seconds"] else ""
    return Step(name.capitalize(), state, stage["detail"] or _MEANS[name], took)


def places_of(version: Version) -> list[Place]:
    """The architectures as the report has them, and the browser beside them."""
    titles = {name: a.title for name, a in ARCHITECTURES.items()} | {"browser": "In the browser"}
    told = places_told(version)
    return [
        Place(title, told[name]["available"], told[name]["reason"], told[name].get("bytes"))
        for name, title in titles.items()
        if name in told
    ]


@dataclass(frozen=True, slots=True)
class Difference:
    """A compared row: what was asked, what was due, what came."""

    asked: str
    due: str
    came: str
    error: str


def worst_of(parity: Mapping[str, Any]) -> list[Difference]:
    """The rows that differ most, the worst first; none where all are equal."""
    rows = parity.get("worst", [])
    return [_difference(row) for row in rows if row["error"] is None or row["error"] > 0]


def _difference(row: Mapping[str, Any]) -> Difference:
    asked = ", ".join(
        f"{name}\N{NO-BREAK SPACE}{_told(value)}" for name, value in row["input"].items()
    )
    due, came = _told(row["expected"]), _told(row["got"])
    if row.get("expected_probability") is not None:
        due += f" ({row['expected_probability']:.6g})"
        came += f" ({_told(row['got_probability'])})"
    error = "–" if row["error"] is None else scientific(row["error"])
    return Difference(asked, due, came, error)


def _told(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.8g}"
    return "–" if value is None else str(value)


def changes_of(version: Version, live: Version | None) -> list[str]:
    """What callers of the live version must know before ``version`` takes its place."""
    if live is None or live.pk == version.pk or not (live.signature and version.signature):
        return []
    before = {field["name"]: field for field in live.signature["inputs"]}
    after = {field["name"]: field for field in version.signature["inputs"]}
    return [
        *(f"“{n}” is new and must be given." for n in _new_and_required(before, after)),
        *(
            f"“{name}” is gone: calls that send it are refused."
            for name in sorted(before.keys() - after.keys())
        ),
        *(
            f"“{name}” was {before[name]['type']} and is {field['type']}."
            for name, field in after.items()
            if name in before and before[name]["type"] != field["type"]
        ),
    ]


def _new_and_required(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [n for n, field in after.items() if n not in before and field["required"]]


_WAITS = (
    "{why} It is tried again every minute, and refused after an hour. Whoever runs this server "
    "finds what to do in docs/sandbox.md, under “When it does not work”."
)


def _report(version: Version) -> dict[str, Any]:
    """The template's context of everything that changes while a version is inspected."""
    why_native = version.report.get("why_native") or {}
    parity = version.report.get("parity") or {}
    as_onnx = why_native.get("parity") or {}
    error = parity.get("max_relative_error")
    live = version.model.live
    is_live = live is not None and live.pk == version.pk
    return {
        "version": version,
        "is_live": is_live,
        "inspecting": version.status == Version.Status.INSPECTING,
        "steps": list(steps_of(version)),
        "parity": parity,
        "error": None if error is None else scientific(error),
        "worst": worst_of(as_onnx or parity),
        "why_native": why_native,
        "waiting": _WAITS.format(why=(version.report.get("waiting") or {}).get("reason", "")),
        "natively": _NATIVELY + why_native.get("detail", ""),
        "places": places_of(version),
        "inputs": inputs_of(version.signature),
        "how_to_convert": HOW_TO_CONVERT,
        "changes": changes_of(version, live),
        "can_promote": version.status == Version.Status.READY and not is_live,
    }


@page
def version(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """The report."""
    found = get_version_for(request.caller, slug, number)
    return show(request, "models_hub/version.html", found.model, "versions", **_report(found))


@page
def stages(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """The report as a fragment, asked for every second while a version is inspected. When the
    inspection has ended it comes without a trigger, and with the page's head beside it."""
    found = get_version_for(request.caller, slug, number)
    context = {"model": found.model, "nav": "models", "fragment": True, **_report(found)}
    return render(request, "models_hub/_report.html", context)


@page
def versions(request: PageRequest, slug: str) -> HttpResponse:
    """Every version of a model."""
    model = get_model_for(request.caller, slug)
    return show(
        request,
        "models_hub/versions.html",
        model,
        "versions",
        rows=[_row(version) for version in Version.objects.filter(model=model)],
        history=_history(model),
    )


def _history(model: HostedModel) -> QuerySet[ModelEvent]:
    """Which versions were made live of late, or none, the latest first."""
    types = (*MADE_LIVE, ModelEvent.Type.WITHDRAWN)
    made_live = ModelEvent.objects.filter(model=model, type__in=types)
    return made_live.order_by("-offset")[:HISTORY]


def _row(version: Version) -> dict[str, Any]:
    error = (version.report.get("parity") or {}).get("max_relative_error")
    return {"version": version, "error": None if error is None else scientific(error)}


@deed
def delete(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """Delete the files of a refused version."""
    try:
        delete_refused(request.caller, slug, number)
    except Conflict as conflict:
        messages.error(request, conflict.detail)
    else:
        messages.success(request, f"The file of version {number} is deleted; its report stays.")
    return redirect("version", slug, number)


@deed
def promote(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """Make a version live."""
    try:
        promote_version(request.caller, slug, number)
    except Conflict as conflict:
        messages.error(request, conflict.detail)
        return redirect("version", slug, number)
    messages.success(request, f"Version {number} is live: it answers from now on.")
    return redirect("model", slug)


@deed
def rollback(request: PageRequest, slug: str) -> HttpResponse:
    """Make the version live that was before."""
    try:
        model = roll_back(request.caller, slug)
    except Conflict as conflict:
        messages.error(request, conflict.detail)
    else:
        messages.success(request, _back_to(model))
    return redirect("model", slug)


@deed
def withdraw(request: PageRequest, slug: str) -> HttpResponse:
    """Take the live version back."""
    try:
        withdraw_model(request.caller, slug)
    except Conflict as conflict:
        messages.error(request, conflict.detail)
    else:
        messages.success(request, "Nothing is live any more. A roll-back brings the version back.")
    return redirect("versions", slug)


def _back_to(model: HostedModel) -> str:
    number = model.live.number if model.live else 0
    return f"Version {number} is live again. Promote the other one to undo this."
