"""How a model did of late, as its pages show it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Aggregate, Count, FloatField, Max, Sum
from django.db.models.functions import TruncHour
from django.utils import timezone

from predictions.models import Prediction

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Figures:
    """Live calls of one model in the last 24 hours. Times in milliseconds; None without calls."""

    calls: int
    rows: int
    median: float | None
    slowest: float | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Hour:
    """The live calls of one hour, which begins at ``start``."""

    start: datetime
    calls: int


class Percentile(Aggregate):
    """PostgreSQL's ``percentile_cont`` at ``share`` (0 to 1), interpolated between neighbours."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()

    def __init__(self, expression: str, share: float) -> None:
        super().__init__(expression, share=share)


def last_day(slug: str) -> Figures:
    """The figures of the model ``slug`` of the organisation in scope."""
    found = Prediction.objects.filter(model=slug, at__gte=timezone.now() - DAY).aggregate(
        calls=Count("pk"),
        rows=Sum("rows"),
        median=Percentile("milliseconds", 0.5),
        slowest=Percentile("milliseconds", 0.99),
        last=Max("at"),
    )
    return Figures(**{**found, "rows": found["rows"] or 0})


def by_hour(slug: str) -> list[Hour]:
    """The model's calls in the 24 whole hours that end with the present one, the oldest first."""
    present = timezone.now().replace(minute=0, second=0, microsecond=0)
    starts = [present - timedelta(hours=ago) for ago in reversed(range(24))]
    rows = Prediction.objects.filter(model=slug, at__gte=starts[0])
    counts = rows.values(start=TruncHour("at")).order_by().annotate(calls=Count("pk"))
    found = {row["start"]: row["calls"] for row in counts}
    return [Hour(start, found.get(start, 0)) for start in starts]
