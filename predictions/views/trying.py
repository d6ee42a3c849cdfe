"""Try it: a form drawn from the signature, the answer, and the very call that gives it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import HttpResponse, QueryDict

from berth.problems import Invalid as InvalidData
from berth.problems import Problem
from berth.signature import Signature
from models_hub.doors import get_model_for
from models_hub.models import HostedModel, Version
from models_hub.views.frame import show
from portal.access import Permission
from portal.errors import BerthError, NotFound
from portal.pages import PageRequest, address, page
from predictions.answering import Question, answer
from predictions.forms import FormFields, explain, parse
from predictions.snippets import Snippet, example_row, predict_snippets


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one version made of the row: an answer, or the refusal in a sentence."""

    number: int
    value: str = ""
    probabilities: tuple[tuple[str, float], ...] = ()
    warnings: tuple[str, ...] = ()
    milliseconds: float = 0.0
    id: str = ""
    json: str = ""
    refusal: str = ""
    problems: tuple[Problem, ...] = ()
    raw: Any = None


@page
def try_it(request: PageRequest, slug: str) -> HttpResponse:
    """The form; sent, it shows the answer of the chosen version and, if wanted, of another."""
    request.caller.require(Permission.PREDICT)
    model = get_model_for(request.caller, slug)
    ready = list(Version.objects.filter(model=model, status=Version.Status.READY))
    if not ready:
        return show(request, "predictions/try.html", model, "try")
    asked = request.POST if request.method == "POST" else request.GET
    version = _chosen(ready, asked, "version") or _usual(model, ready)
    other = _chosen(ready, asked, "against")
    signature = Signature.from_json(version.signature)
    context: dict[str, Any] = {"ready": ready, "version": version, "other": other}
    context["output"] = signature.output
    if request.method != "POST":
        fields = FormFields(signature, values=example_row(version.signature))
        return show(request, "predictions/try.html", model, "try", fields=fields, **context)
    fields, outcomes, row = _answered(request, version, other, signature)
    return show(
        request,
        "predictions/try.html",
        model,
        "try",
        status=200 if outcomes else 422,
        fields=fields,
        outcomes=outcomes,
        difference=_difference(outcomes),
        snippets=_call(request, model, version, row),
        **context,
    )


def _chosen(ready: list[Version], asked: QueryDict, name: str) -> Version | None:
    """The version that the page's form names; None for none. Raises NotFound for another."""
    text = asked.get(name, "")
    if not text:
        return None
    for version in ready:
        if str(version.number) == text:
            return version
    raise NotFound("version that is ready")


def _usual(model: HostedModel, ready: list[Version]) -> Version:
    return next((version for version in ready if version.pk == model.live_id), ready[0])


def _answered(
    request: PageRequest, version: Version, other: Version | None, signature: Signature
) -> tuple[FormFields, list[Outcome], dict[str, Any]]:
    """The form as it was filled in, with what is off; the outcomes, none where something is."""
    instance, errors = parse(signature, request.POST)
    row = _plain(signature, instance)
    if errors:
        return FormFields(signature, request.POST, errors), [], row
    outcomes = [_ask(request, v, row) for v in (version, other) if v is not None]
    first = outcomes[0]
    if first.refusal:
        told = explain(signature, first.problems) or {"": first.refusal}
        return FormFields(signature, request.POST, told), [], row
    return FormFields(signature, request.POST), outcomes, row


def _plain(signature: Signature, instance: Mapping[str, Any]) -> dict[str, Any]:
    """Whole numbers without ``.0``, as a person would write them in the call."""
    whole = {field.name for field in signature.inputs if field.type == "integer"}
    return {
        name: int(value) if name in whole and _is_whole(value) else value
        for name, value in instance.items()
    }


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _ask(request: PageRequest, version: Version, row: Mapping[str, Any]) -> Outcome:
    question = Question(
        organisation_id=request.caller.organisation_id,
        source="try",
        slug=version.model.slug,
        instances=[row],
        version=version.number,
    )
    started = time.perf_counter()
    try:
        content = answer(question).content
    except InvalidData as error:
        sentence = " ".join(problem.detail for problem in error.errors)
        return Outcome(version.number, refusal=sentence, problems=tuple(error.errors))
    except BerthError as error:
        return Outcome(version.number, refusal=error.detail, problems=tuple(error.errors))
    return _outcome(version.number, content, (time.perf_counter() - started) * 1000)


def _outcome(number: int, content: Mapping[str, Any], milliseconds: float) -> Outcome:
    value = content["predictions"][0]
    likely = sorted(
        zip(content.get("labels", ()), content.get("probabilities", [()])[0], strict=True),
        key=lambda pair: -pair[1],
    )
    return Outcome(
        number=number,
        value=said(value),
        probabilities=tuple((said(label), share) for label, share in likely),
        warnings=tuple(warning["detail"] for warning in content.get("warnings", ())),
        milliseconds=milliseconds,
        id=content["id"],
        json=orjson.dumps(content, option=orjson.OPT_INDENT_2).decode(),
        raw=value,
    )


def said(value: Any) -> str:
    """A prediction for people: six digits, thousands grouped; labels as they are."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if not isinstance(value, int | float):
        return str(value)
    if value and not 1e-4 <= abs(value) < 1e15:
        return f"{value:.6g}"
    whole = len(f"{abs(value):.0f}")
    text = f"{value:,.{max(0, 6 - whole)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _difference(outcomes: list[Outcome]) -> str:
    """How the second answer stands to the first, in words; empty without two answers."""
    if len(outcomes) < 2 or outcomes[1].refusal:
        return ""
    before, after = (outcome.raw for outcome in outcomes)
    if before == after:
        return "Both versions give the same answer."
    if isinstance(before, bool | str) or isinstance(after, bool | str):
        return "The two versions answer differently."
    gap = after - before
    share = f", {abs(gap / before):.2%}" if before else ""
    word = "more" if gap > 0 else "less"
    first, second = outcomes
    return (
        f"Version {second.number} says {said(abs(gap))} {word} than version {first.number}{share}."
    )


def _call(
    request: PageRequest, model: HostedModel, version: Version, row: dict[str, Any]
) -> list[Snippet]:
    """The same call for a program; the version is named only where it isn't the live one."""
    body: dict[str, Any] = {"instances": [row]}
    if version.pk != model.live_id:
        body["version"] = version.number
    return predict_snippets(address(request), model.slug, body)
