"""When a recurring job is due: by the clock on a wall in some time zone.

A slot is the moment at which a day's clock shows the time. Where the clock is put forward past
it, that is the first moment after the gap; where the clock shows it twice, the first of the two.
"""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


class Every(StrEnum):
    """How often."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@cache
def zones() -> tuple[str, ...]:
    """The names of the IANA time zones, in order."""
    return tuple(sorted(name for name in available_timezones() if name != "localtime"))


@dataclass(frozen=True, slots=True)
class Timetable:
    """Each day, each week on a ``weekday`` (0 is Monday), or each month on a ``day`` (1 to 31; the
    month's last one where it is shorter), at ``at`` in the time zone."""

    every: Every
    at: time
    zone: ZoneInfo
    weekday: int = 0
    day: int = 1

    def next_after(self, moment: datetime) -> datetime:
        """The first slot later than ``moment`` (aware); in UTC."""
        return next(self.slots(moment))

    def slots(self, after: datetime) -> Iterator[datetime]:
        """All slots later than ``after`` (aware), in order and each once; in UTC.

        Days that a zone left out altogether share the moment of the day after them.
        """
        last = after.astimezone(UTC)
        day = last.astimezone(self.zone).date() - 2 * DAY  # no gap and no overlap is longer
        while True:
            if self._is_on(day):
                slot = first_moment(datetime.combine(day, self.at), self.zone)
                if slot > last:
                    last = slot
                    yield slot
            day += DAY

    def _is_on(self, day: date) -> bool:
        if self.every == Every.WEEK:
            return day.weekday() == self.weekday
        if self.every == Every.MONTH:
            return day.day == min(self.day, calendar.monthrange(day.year, day.month)[1])
        return True


def first_moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first moment, in UTC, at which the zone's clocks show ``wall`` (naive) or, where they
    skip it, a later time."""
    shown = wall.replace(tzinfo=zone, fold=0)
    moment = shown.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    # In a gap, fold 0 counts by the offset before it and fold 1 by the one after (PEP 495), so the
    # clocks are put forward between these two.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), moment
    offset = before.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
