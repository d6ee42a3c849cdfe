"""Who follows a model's feed, as they report it: which version they apply, what they refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from berth.problems import Problem, pointer
from models_hub.models import MADE_LIVE, HostedModel, ModelEvent, Version
from portal import tenancy
from portal.errors import Invalid
from portal.models import Organisation
from portal.servers import Server
from portal.tenancy import current
from predictions.models import Subscriber

STALE = timedelta(seconds=60)
SHOWN = timedelta(days=7)
KEPT = timedelta(days=30)
PRESENT = timedelta(minutes=5)
MOST_MODELS = 20_000
CLOCKS = timedelta(days=5 * 365)  # how far a moment that is told may lie from now
_BIGGEST = {"offset": 2**53, "version": 2**31}  # below; what the columns take
_LONGEST_SECONDS = 1e9
_KEPT = ("offset", "version", "sha256", "status", "code", "detail", "at", "seconds")
_TEXTS = {"model": 63, "status": 16}
_OPTIONAL = {"sha256": 64, "code": 64, "detail": 2_000, "organisation": 63}


@dataclass(frozen=True, slots=True)
class Told:
    """What a report says of one model."""

    organisation: str
    model: str
    offset: int
    version: int | None
    sha256: str
    status: str
    code: str
    detail: str
    at: datetime | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it is described in docs/feed.md."""

    subscriber: str
    kind: str
    berth: str
    models: Sequence[Told]


def read_report(document: Any) -> Report:
    """A report from its JSON. Raises Invalid with pointers."""
    if not isinstance(document, dict):
        raise Invalid('The body must be a JSON object: {"subscriber": …, "models": […]}.')
    name = _text(document, "subscriber", 100)
    kind = _text(document, "kind", 16)
    if kind not in Subscriber.Kind.values:
        raise Invalid.field("kind", "unknown", "“kind” is “subscriber” or “server”.")
    models = document.get("models")
    if not isinstance(models, list) or len(models) > MOST_MODELS:
        detail = f"“models” must be a list of at most {MOST_MODELS:,} objects."
        raise Invalid.field("models", "wrong_type", detail)
    berth = _text(document, "berth", 32, required=False)
    return Report(name, kind, berth, [_told(item, place) for place, item in enumerate(models)])


def _told(item: Any, place: int) -> Told:
    where = ("models", place)
    if not isinstance(item, dict):
        _refuse(where, "wrong_type", "Each model must be an object.")
    texts = {n: _text(item, n, most, where) for n, most in _TEXTS.items()}
    texts |= {n: _text(item, n, most, where, required=False) for n, most in _OPTIONAL.items()}
    if texts["status"] not in Subscriber.Status.values:
        _refuse((*where, "status"), "unknown", "“status” is “applied”, “refused” or “retired”.")
    offset = _whole(item, "offset", where)
    if offset is None:
        _refuse((*where, "offset"), "required", "“offset” must be a whole number.")
    return Told(
        **texts,
        offset=offset,
        version=_whole(item, "version", where),
        at=_moment(item, where),
        seconds=_seconds(item.get("seconds")),
    )


def _moment(item: dict[str, Any], where: tuple[str | int, ...]) -> datetime | None:
    text = item.get("at")
    if text is None or text == "":
        return None
    try:
        at = parse_datetime(text) if isinstance(text, str) else None
    except ValueError:  # 2026-13-45
        at = None
    if at is None or at.tzinfo is None:
        _refuse((*where, "at"), "wrong_type", "“at” must be like 2026-11-24T18:00:00Z.")
    if abs(at - timezone.now()) > CLOCKS:
        _refuse((*where, "at"), "out_of_range", "“at” is years from now: look at your clock.")
    return at


def _seconds(told: Any) -> float | None:
    sensible = isinstance(told, int | float) and 0 <= told < _LONGEST_SECONDS
    return float(told) if sensible else None


def _text(
    item: dict[str, Any],
    name: str,
    most: int,
    where: tuple[str | int, ...] = (),
    *,
    required: bool = True,
) -> str:
    value = item.get(name)
    if not required and value is None:
        return ""
    if not isinstance(value, str) or "\0" in value or (required and not value):
        _refuse((*where, name), "wrong_type", f"“{name}” must be a text.")
    if required and len(value) > most:
        _refuse((*where, name), "too_long", f"“{name}” has at most {most} characters.")
    return value[:most]


def _whole(item: dict[str, Any], name: str, where: tuple[str | int, ...]) -> int | None:
    value = item.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _BIGGEST[name]:
        _refuse((*where, name), "wrong_type", f"“{name}” must be a whole number.")
    return value


def _refuse(where: tuple[str | int, ...], code: str, detail: str) -> NoReturn:
    raise Invalid(detail, errors=[Problem(pointer(*where), code, detail)])


def take_report(server: Server, report: Report) -> None:
    """Keep what a server or subscriber says. One of an organisation speaks of that organisation's
    models alone; what is said of models that are not there is passed over."""
    if server.organisation_id is not None:
        with tenancy.scope(server.organisation_id):
            _keep(server, report, report.models)
        return
    slugs = {told.organisation for told in report.models}
    with tenancy.relay():
        known = dict(Organisation.objects.filter(slug__in=slugs).values_list("slug", "pk"))
    for slug, organisation_id in sorted(known.items()):
        with tenancy.scope(organisation_id):
            _keep(server, report, [told for told in report.models if told.organisation == slug])


def _keep(server: Server, report: Report, models: Sequence[Told]) -> None:
    now = timezone.now()
    known = dict(
        HostedModel.objects.filter(slug__in=[told.model for told in models]).values_list(
            "slug", "pk"
        )
    )
    rows = {
        told.model: Subscriber(
            organisation_id=current(),
            name=report.subscriber,
            kind=report.kind,
            berth=report.berth,
            source=server.id,
            model_id=known[told.model],
            heard=now,
            **{name: getattr(told, name) for name in _KEPT},
        )
        for told in models
        if told.model in known
    }
    Subscriber.objects.bulk_create(
        # in one order, so that two reports at a time don't wait for each other's rows
        sorted(rows.values(), key=lambda row: row.model_id),
        update_conflicts=True,
        unique_fields=["model", "kind", "name"],
        update_fields=["berth", "source", "heard", *_KEPT],
    )


def forget_old() -> None:
    """Drop, in the organisation in scope, whoever was not heard of for long."""
    Subscriber.objects.filter(heard__lt=timezone.now() - KEPT).delete()


@dataclass(frozen=True, slots=True)
class Follower:
    """A subscriber as the page shows it; ``behind`` counts the model's newer lines."""

    row: Subscriber
    behind: int
    is_stale: bool

    @property
    def standing(self) -> str:
        """For the chip: what it does with the version that it heard of."""
        version = f" version {self.row.version}" if self.row.version else ""
        if self.row.status == Subscriber.Status.REFUSED:
            return f"Refused{version}"
        if self.row.status == Subscriber.Status.RETIRED or not version:
            return "Serves nothing"
        return version.strip().capitalize()

    @property
    def lag(self) -> str:
        """How far it is behind; "" where it is not."""
        return f"{self.behind} line{'s' if self.behind > 1 else ''} behind" if self.behind else ""


def followers_of(model: HostedModel, kind: str) -> list[Follower]:
    """Who follows the model and was heard of in the last days; the ones in trouble first."""
    now = timezone.now()
    rows: QuerySet[Subscriber] = Subscriber.objects.filter(model=model, kind=kind)
    offsets = list(
        ModelEvent.objects.filter(model=model).order_by("-offset").values_list("offset", flat=True)
    )
    found = [
        Follower(
            row,
            sum(offset > row.offset for offset in offsets),
            now - row.heard > STALE,
        )
        for row in rows.filter(heard__gt=now - SHOWN).order_by("name")
    ]
    return sorted(found, key=lambda f: (f.row.status != "refused", not f.is_stale, f.row.name))


def arrivals(version: Version, kind: str) -> list[float]:
    """Of each that answers with the version, the seconds from its promotion until then, by the
    reporter's own clock. Who came to it later than ``PRESENT`` was not there at the promotion and
    is left out."""
    model = version.model
    rows = Subscriber.objects.filter(
        model=model, kind=kind, status=Subscriber.Status.APPLIED, version=version.number
    )
    events = ModelEvent.objects.filter(model=model, type__in=MADE_LIVE)
    made = dict(events.values_list("offset", "at"))
    took = [row.at - made[row.offset] for row in rows if row.at and row.offset in made]
    return [max(0.0, each.total_seconds()) for each in took if each < PRESENT]
