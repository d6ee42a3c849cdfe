"""How fast a job goes, and how long it still takes."""

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from workers.doors import recent_pace, rows_read

_STEPS = ((86_400, "day"), (3_600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True, slots=True)
class Pace:
    """``read``: rows of the file so far. ``rows`` per second: of the last minute while the job is
    at work, of all of its time when it has ended; None where too little is known to say.
    ``left`` and ``took`` are times in words, or None."""

    read: int
    rows: float | None
    left: str | None
    took: str | None

    @classmethod
    def of(cls, job: Any) -> "Pace":
        """``job``: counted, as doors give it."""
        read = job.rows_total or rows_read(job)
        if job.started_at is None:
            return cls(read, None, None, None)
        if job.finished_at is not None:
            seconds = (job.finished_at - job.started_at).total_seconds()
            return cls(read, job.rows_done / max(seconds, 0.001), None, in_words(seconds))
        rows = recent_pace(job) if job.rows_total else None
        left = in_words((job.rows_total - job.rows_done) / rows) if rows else None
        took = in_words((timezone.now() - job.started_at).total_seconds())
        return cls(read, rows, left, took)


def in_words(seconds: float) -> str:
    """A time by its two largest units: “2 h 5 min”, “40 s”."""
    left, parts = round(seconds), []
    for size, name in _STEPS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}{'s' if name == 'day' and count > 1 else ''}")
        elif parts:
            break
    return " ".join(parts[:2]) or "less than a second"
