"""``/api/v1``: live predictions, their records, and the architectures a model is deployed in."""

import hashlib
import json
from typing import Any, cast
from uuid import UUID

import orjson
from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from berth.problems import Problem, pointer
from portal.access import Permission
from portal.api import ApiView, facts_of
from portal.errors import Invalid
from portal.idempotency import key_of, once
from portal.keys import KeyFacts
from portal.names import check_unique, unique
from portal.rest import JSONParser, not_json, whole
from portal.tenancy import scope
from predictions.answering import Question, answer
from predictions.architectures import set_active
from predictions.doors import get_prediction_for
from predictions.in_browser import set_in_browser
from predictions.limits import Bucket, Limiter

LIMITER = Limiter(settings.ENV.redis_url)
MOST_NAMED = 20


class PredictParser(JSONParser):
    """JSON; a body that is JSON but for NaN or Infinity is read too, so that coercion can point
    at the very cell."""

    def parse(self, stream: Any, *args: Any, **kwargs: Any) -> Any:
        body = whole(stream)
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return body, _with_nan(body, error)
        check_unique(body, value)
        return body, value


def _with_nan(body: bytes, error: orjson.JSONDecodeError) -> Any:
    try:
        return json.loads(body.decode(), object_pairs_hook=unique)  # bytes it takes as UTF-16, too
    except (ValueError, RecursionError):
        raise not_json(error) from error


class PredictView(ApiView):
    """``POST /models/{slug}/predict``"""

    parser_classes = [PredictParser]
    in_scope = False  # on the usual way no query is needed, so no transaction is

    def post(self, request: Request, slug: str) -> HttpResponse:
        self.caller.require(Permission.PREDICT)
        take_call(facts_of(request))
        # An empty body never meets the parser.
        body, asked = cast(tuple[bytes, Any], request.data or (b"", None))
        question = _question(self.caller.organisation_id, self.caller.key_id, slug, asked, body)
        if not key_of(request):
            return _answered(question)
        with scope(self.caller.organisation_id):
            return once(
                request, self.caller, hashlib.sha256(body).hexdigest(), lambda: _answered(question)
            )


def take_call(facts: KeyFacts) -> None:
    """Count the call against the key's and the organisation's limit. Raises RateLimited."""
    LIMITER.take(
        [
            Bucket(facts.id, facts.calls_per_minute),
            Bucket(str(facts.organisation_id), facts.organisation_calls_per_minute),
        ]
    )


def _answered(question: Question) -> HttpResponse:
    return HttpResponse(answer(question).body, content_type="application/json")


def _question(organisation_id: UUID, source: str, slug: str, asked: Any, body: bytes) -> Question:
    """The body's shape: ``instances`` or ``columns``, and perhaps ``version``."""
    if not isinstance(asked, dict):
        detail = 'The body must be a JSON object: {"instances": […]}.'
        raise Invalid(detail, errors=[Problem("", "wrong_type", detail)])
    if unknown := sorted(asked.keys() - {"instances", "columns", "version"}):
        detail = "Beside “instances” or “columns” there is only “version”."
        errors = [Problem(pointer(name), "unknown", detail) for name in unknown[:MOST_NAMED]]
        raise Invalid(detail, errors=errors)
    instances, columns, version = (asked.get(k) for k in ("instances", "columns", "version"))
    if (instances is None) == (columns is None):
        raise Invalid.field(
            "instances", "required", "Send either “instances” (rows) or “columns”, not both."
        )
    if instances is not None and not isinstance(instances, list):
        raise Invalid.field("instances", "wrong_type", "“instances” must be a list of rows.")
    if columns is not None and not isinstance(columns, dict):
        raise Invalid.field("columns", "wrong_type", "“columns” must map names to lists.")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise Invalid.field("version", "wrong_type", "“version” must be a version's number.")
    return Question(organisation_id, source, slug, instances, columns, version, body)


class PredictionView(ApiView):
    """``GET /predictions/{id}``"""

    def get(self, request: Request, prediction_id: UUID) -> Response:
        record = get_prediction_for(self.caller, prediction_id)
        return Response(
            {
                "id": str(record.pk),
                "at": record.at,
                "model": record.model,
                "version": record.version,
                "source": record.source,
                "rows": record.rows,
                "milliseconds": record.milliseconds,
                "request": orjson.Fragment(record.request),
                "response": orjson.Fragment(record.response),
            }
        )


class DeploymentView(ApiView):
    """``PUT /models/{slug}/deployments/{architecture}``"""

    reads_body = True

    def put(self, request: Request, slug: str, architecture: str) -> Response:
        body = request.data if isinstance(request.data, dict) else {}
        active, in_browser = body.get("is_active"), body.get("in_browser")
        if not isinstance(active, bool):
            raise Invalid.field("is_active", "required", 'Send {"is_active": true} or false.')
        if in_browser is not None and not isinstance(in_browser, bool):
            raise Invalid.field("in_browser", "wrong_type", "“in_browser” is true or false.")
        with transaction.atomic():  # both or neither
            if in_browser is not None:
                set_in_browser(self.caller, slug, architecture, in_browser)
            return Response(set_active(self.caller, slug, architecture, active))
