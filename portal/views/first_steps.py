"""The first steps of an organisation. They tick by what really happened, not by clicks."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import Q
from django.urls import reverse

from models_hub.models import HostedModel, ModelEvent, Version
from portal.access import Permission
from portal.models import ApiKey
from predictions.models import Prediction, Widget
from workers.models import Job


@dataclass(frozen=True, slots=True)
class Step:
    """A step as ``parts/step.html`` takes it."""

    title: str
    detail: str
    state: str
    number: int
    href: str
    action: str


@dataclass(frozen=True, slots=True)
class _Plan:
    """``happened`` asks the organisation in scope; ``where`` leads a model (or None) on."""

    title: str
    detail: str
    action: str
    needs: Permission
    happened: Callable[[], bool]
    where: Callable[[HostedModel | None], str]


def steps_for(permissions: frozenset[Permission], model: HostedModel | None) -> list[Step]:
    """The steps in their order; the first open one that the person may do bears the link."""
    done = [plan.happened() for plan in _PLANS]
    following = next(
        (i for i, plan in enumerate(_PLANS) if not done[i] and plan.needs in permissions), None
    )
    return [
        Step(
            title=plan.title,
            detail=plan.detail,
            state="done" if done[i] else "current" if i == following else "waiting",
            number=i + 1,
            href=plan.where(model) if i == following else "",
            action=plan.action,
        )
        for i, plan in enumerate(_PLANS)
    ]


def _of(name: str) -> Callable[[HostedModel | None], str]:
    """The model's page of this name; without a model, the way to one."""
    return lambda model: reverse(name, args=[model.slug]) if model else reverse("models")


_PLANS = (
    _Plan(
        "Upload a pipeline",
        "A scikit-learn pipeline saved by skops, or an ONNX file.",
        "Upload a pipeline",
        Permission.PUBLISH,
        lambda: Version.objects.exists(),
        lambda model: reverse("upload", args=[model.slug]) if model else reverse("model-new"),
    ),
    _Plan(
        "Promote a version",
        "It answers from then on; a roll-back is one click.",
        "Choose a version",
        Permission.PUBLISH,
        lambda: ModelEvent.objects.filter(type=ModelEvent.Type.PROMOTED).exists(),
        _of("versions"),
    ),
    _Plan(
        "Try it",
        "Fill in the form and see the first prediction. It ticks when the answer is on record.",
        "Try it",
        Permission.PREDICT,
        lambda: Prediction.objects.exists(),
        _of("try"),
    ),
    _Plan(
        "Make a key",
        "With it your own programs ask for predictions.",
        "Make a key",
        Permission.MANAGE,
        lambda: ApiKey.objects.filter(kind=ApiKey.Kind.SECRET).exists(),
        lambda model: reverse("key-new"),
    ),
    _Plan(
        "Show it on a page",
        "A widget for a careers page, say. Name the sites that may show it.",
        "Set up a widget",
        Permission.MANAGE,
        lambda: Widget.objects.filter(Q(seen__isnull=False) | Q(origins__len__gt=0)).exists(),
        lambda model: reverse("widgets"),
    ),
    _Plan(
        "Score a file",
        "A whole file of rows, scored into the predictions database.",
        "Score a file",
        Permission.JOBS,
        lambda: Job.objects.exists(),
        lambda model: reverse("job-new") + (f"?model={model.slug}" if model else ""),
    ),
)
